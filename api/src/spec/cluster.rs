//! `ChatCluster` itself, and those parts of its spec that are not about the hubs, Redis or the public address.
#![allow(clippy::duplicated_attributes, reason = "each printcolumn of kube's derive names its own type")]

use kube::CustomResource;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::hub::HubSpec;
use super::metadata::ChildMetadata;
use super::redis::RedisSpec;
use super::rule::rule;
use super::service::ServiceSpec;
use crate::status::ChatClusterStatus;

/// The desired state of a ChatCluster. Every field has a default: `spec: {}` is a complete cluster.
#[derive(CustomResource, JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[kube(
    group = "chatcluster.dev",
    version = "v1alpha1",
    kind = "ChatCluster",
    plural = "chatclusters",
    shortname = "chat",
    category = "all",
    namespaced,
    doc = "A real-time chat service: hubs behind a public address that share their messages through a \
           password-secured Redis which only they can reach.",
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
#[schemars(extend("x-kubernetes-validations" = [rule("has(self.eventKey) == has(oldSelf.eventKey)", "eventKey can be set when the cluster is created, not added or removed later: hubs with the old and the new key would not hear each other")]))]
pub struct ChatClusterSpec {
    /// The hubs: the servers that clients connect to.
    pub hub: HubSpec,

    /// The backplane: the Redis through which hubs pass messages to each other.
    pub redis: RedisSpec,

    /// The name under which messages travel on the backplane. The default is `<namespace>.<name>`. Letters, digits,
    /// '.', '_' and '-'. It cannot be changed: hubs with the old and the new key would not hear each other.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 128), regex(pattern = r"^[A-Za-z0-9._-]+$"))]
    #[schemars(extend("x-kubernetes-validations" = [rule("self == oldSelf", "eventKey cannot be changed: hubs with the old and the new key would not hear each other; create another ChatCluster instead")]))]
    pub event_key: Option<String>,

    /// The public address of the hubs.
    pub service: ServiceSpec,

    /// Who may reach the pods of this cluster.
    pub network_policy: NetworkPolicySpec,

    /// Labels and annotations of every object that the operator makes for this cluster.
    pub child_metadata: ChildMetadata,

    /// While true the operator leaves this cluster alone: it observes and reports, and changes
    /// nothing. What it would change stands in `status.pending`.
    pub paused: bool,
}

/// Who may reach the pods of this cluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct NetworkPolicySpec {
    /// While true, Redis answers the hubs of this cluster and the operator and no one else, and hubs answer on their
    /// port only. It needs a network plugin that enforces NetworkPolicy.
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
