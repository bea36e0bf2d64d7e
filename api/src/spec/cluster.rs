//! The `ChatCluster` API: types, defaults, and the rules that the API server itself enforces (bounds and CEL).
//!
//! No client and no reconcile lives here. The doc comments of these types are the descriptions that
//! `kubectl explain chatcluster` prints, so they are written for the person who writes the manifest.
#![allow(
    clippy::doc_markdown,
    reason = "kubectl explain prints descriptions as they stand, backticks and all"
)]
#![allow(clippy::duplicated_attributes, reason = "each printcolumn of kube's derive names its own type")]

mod clients;
mod hub;
mod metadata;
mod overlay;
mod redis;
mod service;
mod status;

use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::{CustomResource, CustomResourceExt};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use clients::{HubAuth, HubHistory, HubLimits, KeySecret, TokenAlgorithm};
pub use hub::{Autoscaling, Drain, HubSpec, PullPolicy, VerifyMode};
pub use metadata::ChildMetadata;
pub use overlay::Overlay;
pub use redis::{ExistingSecret, Persistence, RedisAuth, RedisSpec, RedisStorage};
pub use service::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, PublishMode, ServiceSpec, ServiceType, SessionAffinity,
};
pub use status::{ChatClusterStatus, ConditionType, HubStatus, Pending, PendingAction, Restarts};

use overlay::overlay_schema;

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

/// A CEL rule and what to do when it is broken, for `x-kubernetes-validations`.
fn rule(rule: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"rule": rule, "message": message})
}

/// The `CustomResourceDefinition` as it is installed: the derived one, with the rules for `metadata.name`, which no type of ours holds.
pub fn crd() -> CustomResourceDefinition {
    let mut crd = ChatCluster::crd();
    let rules = serde_json::json!([
        rule(
            "self.metadata.name.size() <= 40",
            "metadata.name may have at most 40 characters, because names of up to 63 are derived from it: choose a shorter one"
        ),
        rule(
            "self.metadata.name.matches('^[a-z]([-a-z0-9]*[a-z0-9])?$')",
            "metadata.name becomes the name of a Service: use lower-case letters, digits and '-', and begin with a letter"
        ),
    ]);
    for version in &mut crd.spec.versions {
        if let Some(schema) = version.schema.as_mut().and_then(|s| s.open_api_v3_schema.as_mut()) {
            schema.x_kubernetes_validations = serde_json::from_value(rules.clone()).ok();
        }
    }
    crd
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

    #[test]
    fn every_field_of_the_spec_is_described_and_has_a_default_or_is_optional() {
        let crd = serde_json::to_value(crd()).unwrap();
        let spec = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let mut undescribed = Vec::new();
        let mut required = Vec::new();

        walk(spec, "spec", &mut undescribed, &mut required);
        required.retain(|field| !NEEDED.contains(&field.as_str()));

        assert_eq!(undescribed, Vec::<String>::new(), "fields without a description");
        assert_eq!(
            required,
            Vec::<String>::new(),
            "required fields: `spec: {{}}` must be a complete cluster"
        );
    }

    /// Our own fields only: what lies below these is Kubernetes' own schema.
    const LEAVES: [&str; 2] = ["spec.hub.env", "spec.hub.envFrom"];
    /// What an optional object cannot do without.
    const NEEDED: [&str; 3] =
        ["spec.hub.auth.keySecret", "spec.hub.auth.keySecret.name", "spec.redis.auth.existingSecret.name"];

    fn walk(node: &serde_json::Value, path: &str, undescribed: &mut Vec<String>, required: &mut Vec<String>) {
        if LEAVES.contains(&path) || path.ends_with(".resources") {
            return;
        }
        for name in node["required"].as_array().into_iter().flatten() {
            required.push(format!("{path}.{}", name.as_str().unwrap_or_default()));
        }
        for (name, child) in node["properties"].as_object().into_iter().flatten() {
            let path = format!("{path}.{name}");
            if child["description"].as_str().unwrap_or_default().is_empty() {
                undescribed.push(path.clone());
            }
            walk(child, &path, undescribed, required);
        }
    }

    #[test]
    fn the_crd_stays_far_below_the_annotation_limit_of_kubectl_apply() {
        let crd = serde_json::to_string(&crd()).unwrap();

        assert!(crd.len() < 128 * 1024, "the CRD has {} bytes", crd.len());
    }
}
