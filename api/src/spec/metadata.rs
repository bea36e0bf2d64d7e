//! `spec.childMetadata`: labels and annotations of every child.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rule;

/// Labels and annotations of every object that the operator makes for this cluster. Those of pods are
/// `hub.podTemplate.metadata` and `redis.podTemplate.metadata`, since changing them restarts the pods.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChildMetadata {
    /// Labels, such as those that costs are accounted by.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "labels_schema")]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.all(k, !k.startsWith('app.kubernetes.io/') && !k.contains('chatcluster.dev/'))", "labels that begin with app.kubernetes.io/ or chatcluster.dev/ are the operator's: choose other names in childMetadata.labels"), rule("self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "a label's name is up to 63 letters, digits, '-', '_' and '.', after a DNS name and '/' if it has a prefix")]))]
    pub labels: BTreeMap<String, String>,

    /// Annotations, such as those that other controllers look for.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "annotations_schema")]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.all(k, !k.contains('chatcluster.dev/') && !k.startsWith('kubectl.kubernetes.io/') && !k.startsWith('deployment.kubernetes.io/'))", "annotations of chatcluster.dev/, kubectl.kubernetes.io/ and deployment.kubernetes.io/ are not the user's: choose other names in childMetadata.annotations"), rule("self.all(k, k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))", "an annotation's name is up to 63 letters, digits, '-', '_' and '.', after a DNS name and '/' if it has a prefix")]))]
    pub annotations: BTreeMap<String, String>,
}

fn labels_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": {
            "type": "string",
            "maxLength": 63,
            "pattern": "^([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)?$",
        },
    })
}

fn annotations_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "additionalProperties": {"type": "string", "maxLength": 4096},
    })
}
