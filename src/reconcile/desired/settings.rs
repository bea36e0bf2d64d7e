//! The fields of `spec.hub` that become environment variables of the hub as they are. A field that is not set
//! becomes none: then the hub's own default applies, or `hub.env`.

use k8s_openapi::api::core::v1::EnvVar;

use super::pod::variable;
use crate::reconcile::validate::hub_keys;
use chatcluster_api::{HubHistory, HubLimits, HubSpec};

/// Returns the variables of `hub.auth`. `directory`: the directory where the hubs' keys are mounted.
pub(super) fn auth_variables(hub: &HubSpec, directory: &str) -> Vec<EnvVar> {
    let Some(auth) = &hub.auth else { return Vec::new() };
    let text = |name, text: &Option<String>| text.as_ref().map(|text| variable(name, escaped(text)));
    let key =
        variable("HUB_JWT_KEY_FILE", format!("{directory}/{}", hub_keys::name_in_secret(auth.algorithm)));
    let algorithm = variable("HUB_JWT_ALGORITHM", auth.algorithm.as_str().to_owned());
    [
        Some(key),
        Some(algorithm),
        text("HUB_JWT_ISSUER", &auth.issuer),
        text("HUB_JWT_AUDIENCE", &auth.audience),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns the variables of all other fields.
pub(super) fn variables(hub: &HubSpec) -> Vec<EnvVar> {
    let HubLimits {
        message_bytes,
        connections,
        rooms_per_connection,
        messages_per_second,
        connections_per_second_per_address,
    } = hub.limits;
    let HubHistory { messages, retention_seconds } = hub.history;
    let number = |name, number: Option<u32>| number.map(|number| variable(name, number.to_string()));
    let origins = (!hub.allowed_origins.is_empty()).then(|| hub.allowed_origins.join(","));
    [
        origins.map(|origins| variable("HUB_ALLOWED_ORIGINS", origins)),
        number("HUB_MAX_MESSAGE_BYTES", message_bytes),
        number("HUB_MAX_CONNECTIONS", connections),
        number("HUB_MAX_ROOMS_PER_CONNECTION", rooms_per_connection),
        number("HUB_MESSAGES_PER_SECOND", messages_per_second),
        number("HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS", connections_per_second_per_address),
        number("HUB_HISTORY_MESSAGES", messages),
        number("HUB_HISTORY_SECONDS", retention_seconds),
        hub.rebalance.then(|| variable("HUB_REBALANCE", "true".to_owned())),
    ]
    .into_iter()
    .flatten()
    .collect()
}

/// Returns `text` as a variable's value, in which the kubelet would take `$(NAME)` for another variable.
fn escaped(text: &str) -> String {
    text.replace('$', "$$")
}
