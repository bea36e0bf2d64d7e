//! `spec.childMetadata`: labels and annotations of every child object.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rule::rule;

/// Labels and annotations of every object that the operator creates for a ChatCluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct ChildMetadata {
    /// Labels, for example for cost allocation. At most 32. The prefixes `app.kubernetes.io/` and
    /// `chatcluster.dev/` are reserved for the operator.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "labels_schema")]
    #[schemars(extend("x-kubernetes-validations" = label_rules()))]
    pub labels: BTreeMap<String, String>,

    /// Annotations, for example for other controllers. At most 32, each with a value of at most 4096
    /// characters. The prefixes `chatcluster.dev/`, `kubectl.kubernetes.io/` and `deployment.kubernetes.io/`
    /// are reserved.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 32), schema_with = "annotations_schema")]
    #[schemars(extend("x-kubernetes-validations" = annotation_rules()))]
    pub annotations: BTreeMap<String, String>,
}

/// The syntax of the names of labels and annotations, as a CEL rule.
const NAMES: &str = "self.all(k, \
    k.matches('^([a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$'))";

fn label_rules() -> [Value; 2] {
    [
        rule(
            "self.all(k, !k.startsWith('app.kubernetes.io/') && !k.contains('chatcluster.dev/'))",
            "labels with the prefixes app.kubernetes.io/ and chatcluster.dev/ are reserved for the operator: \
             choose other names in childMetadata.labels",
        ),
        rule(
            NAMES,
            "a label's name has up to 63 letters, digits, '-', '_' and '.', begins and ends with a letter or \
             digit, and may have a DNS name in lower case and '/' before it, as in example.com/team: correct \
             the name in childMetadata.labels",
        ),
    ]
}

fn annotation_rules() -> [Value; 2] {
    [
        rule(
            "self.all(k, !k.contains('chatcluster.dev/') && !k.startsWith('kubectl.kubernetes.io/') \
             && !k.startsWith('deployment.kubernetes.io/'))",
            "annotations with the prefixes chatcluster.dev/, kubectl.kubernetes.io/ and \
             deployment.kubernetes.io/ are reserved: choose other names in childMetadata.annotations",
        ),
        rule(
            NAMES,
            "an annotation's name has up to 63 letters, digits, '-', '_' and '.', begins and ends with a \
             letter or digit, and may have a DNS name in lower case and '/' before it, as in \
             example.com/owner: correct the name in childMetadata.annotations",
        ),
    ]
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
