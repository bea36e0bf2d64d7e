//! `podTemplate`: what a user lays over a pod template.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A part of a pod template, as the user wrote it. Its schema admits any object: the whole schema of a pod template would
/// make the CRD too big for `kubectl apply`. So the operator checks it, and reports what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(transparent)]
pub struct Overlay(pub Map<String, Value>);

/// Any object.
pub(super) fn overlay_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({"type": "object", "x-kubernetes-preserve-unknown-fields": true})
}
