//! The Secret `<name>-hub-token`: the only place where the hubs' keys are stored.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::meta::meta;
use crate::reconcile::validate::Cluster;
use crate::reconcile::validate::hub_keys::HubKeys;
use chatcluster_api::names::{self, Component, hub_key};

/// Returns the Secret that the hubs mount. It holds a copy of the user's key, so that no pod ever waits for a
/// Secret that was deleted, and an unusable key never replaces a usable one.
pub(super) fn secret(cluster: &Cluster, keys: &HubKeys) -> Secret {
    let bytes = |bytes: &[u8]| ByteString(bytes.to_vec());
    let mut data: std::collections::BTreeMap<_, _> =
        keys.client_keys.iter().map(|(name, key)| (name.clone(), bytes(key.reveal()))).collect();
    data.insert(hub_key::TOKEN.to_owned(), bytes(keys.token.reveal()));
    data.insert(hub_key::REVISION.to_owned(), bytes(keys.revision.as_bytes()));
    Secret {
        metadata: meta(cluster, names::hub_token(&cluster.name), Component::Hub),
        data: Some(data),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}
