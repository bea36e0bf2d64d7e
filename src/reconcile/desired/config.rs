//! The `ConfigMap` `<name>-redis-config`: redis.conf, without secrets.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use k8s_openapi::api::core::v1::ConfigMap;
use sha2::{Digest, Sha256};

use super::meta::meta;
use crate::hex::hex;
use crate::reconcile::validate::Cluster;
use chatcluster_api::Persistence;
use chatcluster_api::names::{self, Component, REDIS_PORT};

/// The key of redis.conf in the `ConfigMap`.
pub(super) const REDIS_CONF: &str = "redis.conf";
/// The directory where the ACL file is mounted.
pub(super) const ACL_DIRECTORY: &str = "/etc/redis/auth";
/// The directory where the `ConfigMap` is mounted.
pub(super) const CONFIG_DIRECTORY: &str = "/etc/redis/config";
/// The directory where the volume is mounted.
pub(super) const DATA_DIRECTORY: &str = "/data";

/// Returns the `ConfigMap` with redis.conf: the operator's directives, then the user's in the order of their
/// names.
pub(super) fn redis_config(cluster: &Cluster) -> ConfigMap {
    let mut conf = format!(
        "port {REDIS_PORT}\n\
         bind * -::*\n\
         # Every client authenticates: the default user's password is in the ACL file.\n\
         protected-mode no\n\
         aclfile {ACL_DIRECTORY}/{acl}\n\
         dir {DATA_DIRECTORY}\n",
        acl = names::key::ACL,
    );
    conf.push_str(match cluster.spec.redis.persistence {
        Persistence::AppendOnly => "appendonly yes\nappendfsync everysec\nsave \"\"\n",
        Persistence::Snapshot => "appendonly no\nsave 3600 1 300 100 60 10000\n",
        Persistence::None => "appendonly no\nsave \"\"\n",
    });
    for (name, value) in &cluster.spec.redis.config {
        // Writing to a String cannot fail.
        let _ = writeln!(conf, "{name} {value}");
    }
    ConfigMap {
        metadata: meta(cluster, names::redis_config(&cluster.name), Component::Backplane),
        data: Some(BTreeMap::from([(REDIS_CONF.to_owned(), conf)])),
        ..ConfigMap::default()
    }
}

/// Returns a hash of redis.conf, for the pod to restart when it changes: Redis reads it only when it starts.
pub(super) fn hash(config: &ConfigMap) -> String {
    let conf = config.data.as_ref().and_then(|data| data.get(REDIS_CONF));
    hex(&Sha256::digest(conf.map_or("", String::as_str))[..8])
}
