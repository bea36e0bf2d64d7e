//! `podTemplate`: a partial pod template that is merged into the operator's.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A partial pod template, as the user wrote it. The schema accepts any object, because the full schema of a
/// pod template would make the CRD too big for `kubectl apply`. The operator checks it instead, and reports
/// errors in the condition Ready.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Overlay(pub Map<String, Value>);

/// The schema of [`Overlay`]: any object.
pub(super) fn overlay_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
