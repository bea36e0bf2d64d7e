//! The rules in CEL that the API server enforces.

/// Returns an entry of `x-kubernetes-validations`: a CEL expression that must hold, and the message for a
/// user whose object breaks it. The message says what is wrong and what to do.
pub(crate) fn rule(rule: &str, message: &str) -> serde_json::Value {
    serde_json::json!({"rule": rule, "message": message})
}
