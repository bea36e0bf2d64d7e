//! `spec.redis`: the backplane, its volume and its password.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::ResourceRequirements;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::overlay::{Overlay, overlay_schema};
use super::resources::requests;
use super::rule::rule;

/// The backplane: the Redis through which the hubs of a ChatCluster pass messages to each other.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [persistence_is_fixed()]))]
pub struct RedisSpec {
    /// The container image of Redis. It must have `redis-server`, `redis-cli` and `sh` in its `PATH`. If
    /// unset, it is the image that the operator was installed with.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s]+$"))]
    pub image: Option<String>,

    /// CPU and memory of the Redis container. By default it requests 50m CPU and 64Mi memory and has no
    /// limits; a value of your own replaces this as a whole. A change restarts Redis.
    pub resources: ResourceRequirements,

    /// The volume of Redis. Ignored with `persistence: None`.
    pub storage: RedisStorage,

    /// Decides which data Redis keeps when it restarts. `AppendOnly`: every write, flushed to the volume once
    /// a second. `Snapshot`: the latest snapshot; Redis takes one within 60 minutes of a change, within 5
    /// minutes of 100 changes, and within 1 minute of 10000 changes. `None`: nothing, and Redis has no
    /// volume. It cannot be changed later. Default: `AppendOnly`.
    pub persistence: Persistence,

    /// Additional directives of redis.conf by their lower-case names, for example `maxmemory: 100mb`. At most
    /// 64, each with a value of at most 1024 characters in one line. Directives that the operator sets
    /// itself, such as `requirepass` and `appendonly`, are refused. A change restarts Redis.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64), schema_with = "config_schema")]
    #[schemars(extend("x-kubernetes-validations" = directive_rules()))]
    pub config: BTreeMap<String, String>,

    /// The password of Redis.
    pub auth: RedisAuth,

    /// A partial pod template that is merged into Redis's pod template, in the same way as `hub.podTemplate`.
    /// The container is named `redis`. A change restarts Redis.
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

fn persistence_is_fixed() -> Value {
    rule(
        "self.persistence == oldSelf.persistence",
        "redis.persistence cannot be changed yet, because Redis would start without its existing data: \
         create another ChatCluster and move the data instead",
    )
}

fn directive_rules() -> [Value; 2] {
    [
        rule(
            "self.all(k, k.matches('^[a-z][a-z0-9-]{0,63}$'))",
            "redis.config takes directives of redis.conf by their lower-case names, such as maxmemory: 100mb",
        ),
        rule(
            "self.all(k, !(k in ['aclfile', 'appendonly', 'bind', 'cluster-enabled', 'daemonize', 'dir', \
             'include', 'loadmodule', 'logfile', 'masterauth', 'masteruser', 'pidfile', 'port', \
             'protected-mode', 'rename-command', 'replicaof', 'requirepass', 'save', 'slaveof', \
             'supervised', 'tls-port', 'unixsocket', 'user']))",
            "the operator sets this directive itself: remove it from redis.config (redis.auth sets the \
             password, redis.persistence sets appendonly and save)",
        ),
    ]
}

/// The schema of `config`. No value may have a line break, because the rest of it would be another directive.
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
#[schemars(extend("x-kubernetes-validations" = volume_rules()))]
pub struct RedisStorage {
    /// The size of the volume, for example `500Mi` or `2Gi`. It can be increased later if the storage class
    /// allows volume expansion, and never decreased. Default: `1Gi`.
    #[schemars(
        length(min = 1, max = 32),
        regex(pattern = r"^[1-9][0-9]*(\.[0-9]+)?(k|M|G|T|P|Ki|Mi|Gi|Ti|Pi)?$")
    )]
    pub size: String,

    /// The name of the volume's storage class. If unset, it is the default class of the Kubernetes cluster.
    /// It cannot be changed later.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub storage_class_name: Option<String>,

    /// If true, the volume is kept when the ChatCluster is deleted, and a ChatCluster that is created later
    /// with the same name in the same namespace uses it again. If false, the volume is deleted with the
    /// ChatCluster. Default: true.
    pub retain: bool,
}

fn volume_rules() -> [Value; 2] {
    [
        rule(
            "has(self.storageClassName) == has(oldSelf.storageClassName) && (!has(self.storageClassName) \
             || self.storageClassName == oldSelf.storageClassName)",
            "redis.storage.storageClassName cannot be changed, because a volume keeps its class: create \
             another ChatCluster and move the data instead",
        ),
        rule(
            "quantity(self.size).compareTo(quantity(oldSelf.size)) >= 0",
            "redis.storage.size can grow but not shrink, because Kubernetes cannot make a volume smaller: \
             create another ChatCluster and move the data instead",
        ),
    ]
}

impl Default for RedisStorage {
    fn default() -> Self {
        Self { size: "1Gi".to_owned(), storage_class_name: None, retain: true }
    }
}

/// Decides which data Redis keeps when it restarts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Persistence {
    #[default]
    AppendOnly,
    Snapshot,
    None,
}

/// The password of Redis.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct RedisAuth {
    /// A Secret of your own with the password. When its value changes, Redis restarts with the new password,
    /// and the hubs follow within about a minute. If unset, the operator generates a password from 32 random
    /// bytes and stores it in the Secret `<name>-redis-auth`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub existing_secret: Option<ExistingSecret>,
}

/// The Secret with Redis's password, in the namespace of the ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ExistingSecret {
    /// The name of the Secret. It must be in the namespace of the ChatCluster.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key of the Secret's data that holds the password. Default: `redis.password`.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn default_key() -> String {
    "redis.password".to_owned()
}
