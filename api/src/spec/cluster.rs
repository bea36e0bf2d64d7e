//! `ChatCluster` itself, and the parts of its spec that do not concern the hubs, Redis or the public address.
#![allow(clippy::duplicated_attributes, reason = "each printcolumn of kube's derive names its type")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::hub::HubSpec;
use super::metadata::ChildMetadata;
use super::redis::RedisSpec;
use super::rule::rule;
use super::service::ServiceSpec;
use crate::status::ChatClusterStatus;

/// The desired state of a ChatCluster. Every field has a default, so `spec: {}` describes a complete cluster.
#[derive(CustomResource, JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "chatcluster.dev",
    version = "v1alpha1",
    kind = "ChatCluster",
    plural = "chatclusters",
    shortname = "chat",
    category = "all",
    namespaced,
    doc = "A real-time messaging service: hubs, which clients connect to at a public address, and a Redis, \
           protected by a password, through which the hubs pass messages to each other.",
    status = "ChatClusterStatus",
    derive = "PartialEq",
    scale(
        spec_replicas_path = ".spec.hub.replicas",
        status_replicas_path = ".status.hub.replicas",
        label_selector_path = ".status.hub.selector"
    ),
    printcolumn(
        name = "Ready",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].status"
    ),
    printcolumn(
        name = "Reason",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].reason"
    ),
    printcolumn(name = "Hubs", type_ = "string", json_path = ".status.hub.summary"),
    printcolumn(name = "Address", type_ = "string", json_path = ".status.address"),
    printcolumn(name = "Age", type_ = "date", json_path = ".metadata.creationTimestamp"),
    printcolumn(
        name = "Message",
        type_ = "string",
        json_path = ".status.conditions[?(@.type=='Ready')].message",
        priority = 1
    ),
    selectable = ".spec.paused",
    selectable = ".spec.eventKey",
    selectable = ".spec.service.type"
)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [event_key_stays()]))]
pub struct ChatClusterSpec {
    /// The hubs: the pods that clients connect to, for example by WebSocket.
    pub hub: HubSpec,

    /// The backplane: the Redis through which the hubs pass messages to each other. Every ChatCluster has its
    /// own.
    pub redis: RedisSpec,

    /// The prefix of the names of all channels and keys that the hubs use on Redis: up to 128 letters,
    /// digits, '.', '_' and '-'. If unset, it is `<namespace>.<name>` of the ChatCluster. It cannot be set,
    /// changed or removed later, because hubs with different keys do not receive each other's messages. The
    /// container gets it as `BACKPLANE_EVENT_KEY`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    #[schemars(extend("x-kubernetes-validations" = [event_key_is_fixed()]))]
    pub event_key: Option<String>,

    /// The Service with the public address of the hubs. It has the name of the ChatCluster.
    pub service: ServiceSpec,

    /// The network policies that protect the pods of this ChatCluster.
    pub network_policy: NetworkPolicySpec,

    /// Additional labels and annotations of every object that the operator creates for this ChatCluster.
    /// Labels and annotations of pods are set in `hub.podTemplate.metadata` and `redis.podTemplate.metadata`
    /// instead, because changing them restarts the pods.
    pub child_metadata: ChildMetadata,

    /// If true, the operator creates, changes and repairs nothing for this ChatCluster. It still observes it
    /// and updates the status, which lists the changes held back in `status.pending`. Default: false.
    pub paused: bool,
}

fn event_key_stays() -> Value {
    rule(
        "has(self.eventKey) == has(oldSelf.eventKey)",
        "eventKey can be set only when the ChatCluster is created, not added or removed later, because hubs \
         with different keys do not receive each other's messages: create another ChatCluster instead",
    )
}

fn event_key_is_fixed() -> Value {
    rule(
        "self == oldSelf",
        "eventKey cannot be changed, because hubs with different keys do not receive each other's messages: \
         create another ChatCluster instead",
    )
}

/// The network policies that protect the pods of a ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// If true, the operator creates network policies: Redis is reachable only by the hubs of this
    /// ChatCluster and by the operator, and the hubs are reachable only at their port. This has an effect
    /// only if the Kubernetes cluster's network plugin enforces NetworkPolicy. Default: true.
    pub enabled: bool,
}

impl Default for NetworkPolicySpec {
    fn default() -> Self {
        Self { enabled: true }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_spec_is_a_whole_cluster() {
        let spec: ChatClusterSpec = serde_json::from_str("{}").unwrap();

        assert_eq!(spec, ChatClusterSpec::default());
        assert_eq!(spec.hub.replicas, 2);
        assert_eq!(spec.service.port, 80);
        assert_eq!(spec.redis.storage.size, "1Gi");
        assert!(spec.network_policy.enabled);
    }
}
