//! The Secret `<name>-redis-auth`: the only place where the password is stored.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;

use super::meta::meta;
use crate::reconcile::validate::{Auth, Cluster};
use chatcluster_api::names::{self, Component, REDIS_PORT, key};

/// Returns the Secret that Redis and the hubs mount. Of a user's Secret it holds a copy, so that no pod ever
/// waits for a Secret that was deleted, and an unusable password never replaces a usable one.
pub(super) fn secret(cluster: &Cluster, auth: &Auth) -> Secret {
    let server = names::redis(&cluster.name);
    let data = [
        (key::SERVER, server.clone()),
        (key::PORT, REDIS_PORT.to_string()),
        (key::PASSWORD, auth.password.reveal().to_owned()),
        (key::URI, auth.password.uri(&server, REDIS_PORT)),
        (key::ACL, auth.password.acl_file()),
        (key::REVISION, auth.revision.clone()),
    ];
    Secret {
        metadata: meta(cluster, names::redis_auth(&cluster.name), Component::Backplane),
        data: Some(data.into_iter().map(|(k, v)| (k.to_owned(), ByteString(v.into_bytes()))).collect()),
        type_: Some("Opaque".to_owned()),
        ..Secret::default()
    }
}
