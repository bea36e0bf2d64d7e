//! The names, labels and annotations of the objects that the operator creates for a cluster and finds again
//! by them.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The field manager of server-side apply, the reporting controller of events, and the value of `managed-by`.
pub const OPERATOR: &str = "chatcluster-operator";

/// The label by which watches select the objects that the operator creates.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that holds the name of the `ChatCluster` that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label whose value is the object's [`Component`].
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// The annotation of a child object with the hash of its desired state as last applied.
pub const APPLIED: &str = "chatcluster.dev/applied";
/// The annotation of the Redis pod that changes whenever the password changes. Its value is a random number,
/// not derived from the password.
pub const AUTH_REVISION: &str = "chatcluster.dev/auth-revision";
/// The annotation of a hub pod that changes whenever the key of connection tokens changes. Its value is a
/// random number, not derived from the key.
pub const TOKEN_REVISION: &str = "chatcluster.dev/token-revision";
/// The annotation of the Redis pod with the hash of redis.conf: a changed redis.conf restarts the pod.
pub const CONFIG_HASH: &str = "chatcluster.dev/config-hash";
/// The annotation of a `ChatCluster` that users change, to any text, to restart its hubs.
pub const RESTART_HUB: &str = "chatcluster.dev/restart-hub";
/// The annotation of a `ChatCluster` that users change, to any text, to restart its Redis.
pub const RESTART_REDIS: &str = "chatcluster.dev/restart-redis";
/// The annotation of a pod template that holds the value of [`RESTART_HUB`] or [`RESTART_REDIS`].
pub const RESTARTED_AT: &str = "chatcluster.dev/restarted-at";

/// The port that Redis listens on.
pub const REDIS_PORT: u16 = 6379;
/// The name of the container that runs Redis.
pub const REDIS_CONTAINER: &str = "redis";
/// The name of the container that runs the hub.
pub const HUB_CONTAINER: &str = "hub";

/// The keys of the Secret `<name>-redis-auth`.
pub mod key {
    /// The hostname of Redis.
    pub const SERVER: &str = "redis.server";
    /// The port of Redis.
    pub const PORT: &str = "redis.port";
    /// The password.
    pub const PASSWORD: &str = "redis.password";
    /// The address with the password: `redis://:password@server:port`, percent-encoded.
    pub const URI: &str = "uri";
    /// Redis's ACL file, which holds the SHA-256 of the password.
    pub const ACL: &str = "users.acl";
    /// A random number that changes whenever the password changes.
    pub const REVISION: &str = "revision";
}

/// The keys of the Secret `<name>-hub-token`.
pub mod hub_key {
    /// The key that hubs sign and check connection tokens with.
    pub const TOKEN: &str = "token.key";
    /// A random number that changes whenever `token.key` changes.
    pub const REVISION: &str = "revision";
    /// With `hub.auth.algorithm: HS256`, the secret that clients' tokens are checked with.
    pub const HS256: &str = "jwt-hs256.key";
    /// With `hub.auth.algorithm: RS256`, the issuer's public key, which clients' tokens are checked with.
    pub const RS256: &str = "jwt-rs256.pem";
    /// With `hub.auth.algorithm: JWKS`, the issuer's key set, which clients' tokens are checked with.
    pub const JWKS: &str = "jwt-jwks.json";
    /// The keys that check clients' tokens. The Secret holds at most one of them.
    pub const CLIENTS: [&str; 3] = [HS256, RS256, JWKS];
}

/// The part of a cluster that an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Redis.
    Backplane,
    /// The hubs.
    Hub,
}

impl Component {
    /// The value of the label [`COMPONENT`].
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backplane => "backplane",
            Self::Hub => "hub",
        }
    }
}

/// The labels of every object that belongs to this component of the cluster `instance`.
pub fn labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector_labels(instance, component);
    labels.insert(MANAGED_BY.to_owned(), OPERATOR.to_owned());
    labels.insert("app.kubernetes.io/part-of".to_owned(), "chatcluster".to_owned());
    labels
}

/// The labels that select the pods of one component. They must never change, because the selector of a
/// Deployment is immutable.
pub fn selector_labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", "chatcluster"), (INSTANCE, instance), (COMPONENT, component.as_str())]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// Returns [`selector_labels`] as a selector.
pub fn selector(instance: &str, component: Component) -> LabelSelector {
    LabelSelector { match_labels: Some(selector_labels(instance, component)), ..LabelSelector::default() }
}

/// Returns [`selector_labels`] in the text form of `status.hub.selector`, which autoscalers read.
pub fn selector_string(instance: &str, component: Component) -> String {
    let pairs: Vec<String> =
        selector_labels(instance, component).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(",")
}

/// `<name>-redis`: the name of Redis's StatefulSet, of the Service that hubs reach it by, and of its
/// `NetworkPolicy`.
pub fn redis(instance: &str) -> String {
    format!("{instance}-redis")
}

/// `<name>-redis-nodes`: the name of the headless Service that the StatefulSet needs.
pub fn redis_nodes(instance: &str) -> String {
    format!("{instance}-redis-nodes")
}

/// `<name>-redis-auth`: the name of the Secret with Redis's address and password, see [`key`].
pub fn redis_auth(instance: &str) -> String {
    format!("{instance}-redis-auth")
}

/// `<name>-redis-config`: the name of the `ConfigMap` with redis.conf.
pub fn redis_config(instance: &str) -> String {
    format!("{instance}-redis-config")
}

/// `<name>-redis-0`: the name of Redis's pod.
pub fn redis_pod(instance: &str) -> String {
    format!("{instance}-redis-0")
}

/// `data-<name>-redis-0`: the name of the PersistentVolumeClaim for Redis's volume.
pub fn redis_claim(instance: &str) -> String {
    format!("data-{instance}-redis-0")
}

/// `<name>-hub-token`: the name of the Secret with the hubs' keys, see [`hub_key`].
pub fn hub_token(instance: &str) -> String {
    format!("{instance}-hub-token")
}

/// `<name>-hub`: the name of the hubs' Deployment, `NetworkPolicy`, PodDisruptionBudget and
/// HorizontalPodAutoscaler.
pub fn hub(instance: &str) -> String {
    format!("{instance}-hub")
}
