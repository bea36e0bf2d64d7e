//! `spec.redis`: the backplane.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::overlay::{Overlay, overlay_schema};
use super::resources::requests;
use super::rule::rule;

/// The backplane: one Redis that only the hubs of this cluster and the operator can reach.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule("self.persistence == oldSelf.persistence", "persistence cannot change yet: Redis would start without the data that it kept in the other form; create another ChatCluster and move the data instead")]))]
pub struct RedisSpec {
    /// The image of Redis: it must have `redis-server`, `redis-cli` and `sh` in its path. The default is the one that the operator was installed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s]+$"))]
    pub image: Option<String>,

    /// CPU and memory of Redis. The default requests 50m and 64Mi, without limits.
    pub resources: ResourceRequirements,

    /// The volume of Redis. Not used with `persistence: None`.
    pub storage: RedisStorage,

    /// What Redis keeps over a restart. `AppendOnly`: every write, flushed to the volume once a second. `Snapshot`: a
    /// snapshot now and then. `None`: nothing, and there is no volume. It cannot be changed later.
    pub persistence: Persistence,

    /// More directives of redis.conf, by name, such as `maxmemory: 100mb`. Those that the operator sets itself are refused.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), schema_with = "config_schema")]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.all(k, k.matches('^[a-z][a-z0-9-]{0,63}$'))", "redis.config takes directives of redis.conf by their lower-case names, such as maxmemory: 100mb"), rule("self.all(k, !(k in ['aclfile', 'appendonly', 'bind', 'cluster-enabled', 'daemonize', 'dir', 'include', 'loadmodule', 'logfile', 'masterauth', 'masteruser', 'pidfile', 'port', 'protected-mode', 'rename-command', 'replicaof', 'requirepass', 'save', 'slaveof', 'supervised', 'tls-port', 'unixsocket', 'user']))", "the operator sets this directive itself: remove it from redis.config (the password is redis.auth, appendonly and save are redis.persistence)")]))]
    pub config: BTreeMap<String, String>,

    /// The password of Redis.
    pub auth: RedisAuth,

    /// Laid over Redis's pod template by strategic merge, as `hub.podTemplate` is over the hub's. Redis's container is
    /// named `redis`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "overlay_schema")]
    pub pod_template: Option<Overlay>,
}

impl Default for RedisSpec {
    fn default() -> Self {
        Self {
            image: None,
            resources: requests("50m", "64Mi"),
            storage: RedisStorage::default(),
            persistence: Persistence::default(),
            config: BTreeMap::new(),
            auth: RedisAuth::default(),
            pod_template: None,
        }
    }
}

/// A line of redis.conf each: a value with a line break could smuggle in another directive.
fn config_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
    schemars::json_schema!({
        "type": "object",
        "maxProperties": 64,
        "additionalProperties": {"type": "string", "maxLength": 1024, "pattern": r"^[^\r\n]*$"},
    })
}

/// The volume of Redis.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule("has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) || self.storageClassName == oldSelf.storageClassName)", "storageClassName cannot change: a volume keeps its class; create another ChatCluster and move the data instead"), rule("quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0", "storage.size can grow but not shrink: Kubernetes cannot make a volume smaller; create another ChatCluster and move the data instead")]))]
pub struct RedisStorage {
    /// The size of the volume, such as `1Gi`. It can grow where the storage class allows its volumes to, and never shrinks.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[1-9][0-9]*(\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
    )]
    pub size: String,

    /// The storage class of the volume. The default is the cluster's default class. It cannot be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// Whether the volume outlives the ChatCluster. While true, a ChatCluster that is made again under the same name finds its data again.
    pub retain: bool,
}

impl Default for RedisStorage {
    fn default() -> Self {
        Self { size: "1Gi".to_owned(), storage_class_name: None, retain: true }
    }
}

/// What Redis keeps over a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum Persistence {
    #[default]
    #[allow(missing_docs)]
    AppendOnly,
    #[allow(missing_docs)]
    Snapshot,
    #[allow(missing_docs)]
    None,
}

/// The password of Redis.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RedisAuth {
    /// Your own Secret with the password. Without it the operator generates a password of 32 random bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_secret: Option<ExistingSecret>,
}

/// A key of a Secret in the namespace of the ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExistingSecret {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key in it that holds the password.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn default_key() -> String {
    "redis.password".to_owned()
}
