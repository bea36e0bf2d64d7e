//! Names, labels and annotations: of everything the operator makes, and by which it finds it again.

use std::collections::BTreeMap;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;

/// The field manager of server-side apply, the reporting controller of events, and the value of `managed-by`.
pub const OPERATOR: &str = "chatcluster-operator";

/// The label by which the watches select what the operator makes.
pub const MANAGED_BY: &str = "app.kubernetes.io/managed-by";
/// The label that holds the name of the `ChatCluster` that an object belongs to.
pub const INSTANCE: &str = "app.kubernetes.io/instance";
/// The label that tells hubs from the backplane.
pub const COMPONENT: &str = "app.kubernetes.io/component";

/// The annotation with the fingerprint of a child's desired state as it was last applied.
pub const APPLIED: &str = "chatcluster.dev/applied";
/// The annotation of the Redis pod that changes with the password: a random number, nothing derived from the password.
pub const AUTH_REVISION: &str = "chatcluster.dev/auth-revision";
/// The annotation of a hub pod that changes with the key of connection tokens: a random number, too.
pub const TOKEN_REVISION: &str = "chatcluster.dev/token-revision";
/// The annotation of the Redis pod that changes with redis.conf.
pub const CONFIG_HASH: &str = "chatcluster.dev/config-hash";
/// The annotation of a `ChatCluster` whose change restarts its hubs.
pub const RESTART_HUB: &str = "chatcluster.dev/restart-hub";
/// The annotation of a `ChatCluster` whose change restarts its Redis.
pub const RESTART_REDIS: &str = "chatcluster.dev/restart-redis";
/// The annotation of a pod template that holds the text of one of the two.
pub const RESTARTED_AT: &str = "chatcluster.dev/restarted-at";

/// The port of Redis.
pub const REDIS_PORT: u16 = 6379;
/// The name of Redis's container.
pub const REDIS_CONTAINER: &str = "redis";
/// The name of the hub's container.
pub const HUB_CONTAINER: &str = "hub";

/// Keys of the Secret `<name>-redis-auth`.
pub mod key {
    /// The hostname of Redis.
    pub const SERVER: &str = "redis.server";
    /// The port of Redis.
    pub const PORT: &str = "redis.port";
    /// The password.
    pub const PASSWORD: &str = "redis.password";
    /// `redis://:password@server:port`, percent-encoded.
    pub const URI: &str = "uri";
    /// Redis's ACL file, with the password's SHA-256.
    pub const ACL: &str = "users.acl";
    /// A random number that changes with the password.
    pub const REVISION: &str = "revision";
}

/// Keys of the Secret `<name>-hub-token`.
pub mod hub_key {
    /// The key that connection tokens are signed with.
    pub const TOKEN: &str = "token.key";
    /// A random number that changes with it.
    pub const REVISION: &str = "revision";
    /// The secret that clients' tokens are signed with.
    pub const HS256: &str = "jwt-hs256.key";
    /// The public key of those who sign clients' tokens.
    pub const RS256: &str = "jwt-rs256.pem";
    /// Their key set.
    pub const JWKS: &str = "jwt-jwks.json";
    /// Those of the last three of which one is there at most.
    pub const CLIENTS: [&str; 3] = [HS256, RS256, JWKS];
}

/// Which part of a cluster an object belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Component {
    /// Redis.
    Backplane,
    /// The hubs.
    Hub,
}

impl Component {
    /// The value of the component label.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Backplane => "backplane",
            Self::Hub => "hub",
        }
    }
}

/// The labels of every object of the cluster `instance`.
pub fn labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    let mut labels = selector_labels(instance, component);
    labels.insert(MANAGED_BY.to_owned(), OPERATOR.to_owned());
    labels.insert("app.kubernetes.io/part-of".to_owned(), "chatcluster".to_owned());
    labels
}

/// The labels that select the pods of one component. They can never change: a Deployment's selector is immutable.
pub fn selector_labels(instance: &str, component: Component) -> BTreeMap<String, String> {
    [("app.kubernetes.io/name", "chatcluster"), (INSTANCE, instance), (COMPONENT, component.as_str())]
        .into_iter()
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect()
}

/// [`selector_labels`] as a selector.
pub fn selector(instance: &str, component: Component) -> LabelSelector {
    LabelSelector { match_labels: Some(selector_labels(instance, component)), ..LabelSelector::default() }
}

/// [`selector_labels`] as the string that `status.hub.selector` holds for autoscalers.
pub fn selector_string(instance: &str, component: Component) -> String {
    let pairs: Vec<String> =
        selector_labels(instance, component).into_iter().map(|(k, v)| format!("{k}={v}")).collect();
    pairs.join(",")
}

/// `<name>-redis`: the StatefulSet, the Service that is the hostname, and the `NetworkPolicy` of Redis.
pub fn redis(instance: &str) -> String {
    format!("{instance}-redis")
}

/// `<name>-redis-nodes`: the headless Service of the StatefulSet.
pub fn redis_nodes(instance: &str) -> String {
    format!("{instance}-redis-nodes")
}

/// `<name>-redis-auth`: the Secret.
pub fn redis_auth(instance: &str) -> String {
    format!("{instance}-redis-auth")
}

/// `<name>-redis-config`: the `ConfigMap`.
pub fn redis_config(instance: &str) -> String {
    format!("{instance}-redis-config")
}

/// `<name>-redis-0`: Redis's pod.
pub fn redis_pod(instance: &str) -> String {
    format!("{instance}-redis-0")
}

/// `data-<name>-redis-0`: the claim that Redis's volume comes from.
pub fn redis_claim(instance: &str) -> String {
    format!("data-{instance}-redis-0")
}

/// `<name>-hub-token`: the Secret with the keys of the hubs.
pub fn hub_token(instance: &str) -> String {
    format!("{instance}-hub-token")
}

/// `<name>-hub`: the Deployment and the `NetworkPolicy` of the hubs.
pub fn hub(instance: &str) -> String {
    format!("{instance}-hub")
}
