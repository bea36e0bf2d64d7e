//! Values for the tests of the steps that follow.

use super::auth::Auth;
use super::cluster::{Cluster, Defaults};
use super::hub_keys::{HubKeys, resolve};
use super::password::Password;
use super::secret::UserSecret;
use chatcluster_api::names::hub_key;
use chatcluster_api::{ChatCluster, ChatClusterSpec};
use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::core::ObjectMeta;

pub(crate) fn defaults() -> Defaults {
    Defaults {
        hub_image: "example/hub:1".to_owned(),
        redis_image: "example/redis:7".to_owned(),
        operator_namespace: Some("chatcluster-system".to_owned()),
        hold: false,
    }
}

pub(crate) fn auth() -> Auth {
    Auth { password: Password::parse(b"s3cret").unwrap(), revision: "r1".to_owned() }
}

/// Returns a Secret with these keys and values.
pub(crate) fn secret(pairs: &[(&str, &str)]) -> Secret {
    let data = pairs.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec())));
    Secret { data: Some(data.collect()), ..Secret::default() }
}

/// Returns the hubs' keys where `user` is the Secret that the spec names.
pub(crate) fn keys(cluster: &Cluster, user: &UserSecret) -> HubKeys {
    let there =
        secret(&[(hub_key::TOKEN, "t0ken-key-of-at-least-32-bytes-in-all"), (hub_key::REVISION, "k1")]);
    resolve(cluster, Some(&there), user)
}

/// Returns the cluster `lobby` in the namespace `team`.
pub(crate) fn cluster(spec: serde_json::Value) -> Cluster {
    let spec: ChatClusterSpec = serde_json::from_value(spec).unwrap();
    let metadata = ObjectMeta {
        name: Some("lobby".to_owned()),
        namespace: Some("team".to_owned()),
        uid: Some("0-1-2".to_owned()),
        ..ObjectMeta::default()
    };
    Cluster::new(&ChatCluster { metadata, spec, status: None }, &defaults()).unwrap()
}
