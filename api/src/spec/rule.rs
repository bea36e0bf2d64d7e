//! The rules of the schema in CEL, which the API server enforces.

/// A CEL rule and what to do when it is broken, for `x-kubernetes-validations`.
pub(crate) fn rule(rule: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"rule": rule, "message": message})
}
