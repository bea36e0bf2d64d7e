//! What a cluster should look like: pure functions from ([`Cluster`], [`Auth`]) to typed Kubernetes objects, one file per
//! group of children. Nothing here reads or writes; everything is tested by comparing whole objects.

mod auth;
mod backplane;
mod config;
mod error;
mod hub;
mod meta;
pub mod overlay;
mod pod;
mod policy;
mod public;
mod scale;
mod settings;
mod token;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;

use crate::reconcile::validate::{Auth, Cluster, Defaults, HubKeys};

pub use error::WorkloadError;

/// Every child of a `ChatCluster`. Where it is applied it is destructured without `..`, so that a forgotten child does
/// not compile. `None`: there should be none.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// `<name>-redis-auth`.
    pub auth: Secret,
    /// `<name>-hub-token`.
    pub hub_token: Secret,
    /// `<name>-redis-config`.
    pub redis_config: ConfigMap,
    /// `<name>-redis-nodes`.
    pub redis_nodes: Service,
    /// `<name>-redis`: the hostname that hubs use.
    pub redis_service: Service,
    /// `<name>-redis`: who may reach Redis.
    pub redis_policy: Option<NetworkPolicy>,
    /// `<name>-hub`: who may reach the hubs.
    pub hub_policy: Option<NetworkPolicy>,
    /// `<name>-hub`: how many hubs may be missing while nodes are drained.
    pub hub_budget: PodDisruptionBudget,
    /// `<name>-redis`; or what is wrong with `redis.podTemplate`.
    pub redis_set: Result<StatefulSet, WorkloadError>,
    /// `<name>-hub`; or what is wrong with `hub.podTemplate` or `hub.auth`.
    pub hub_deployment: Result<Deployment, WorkloadError>,
    /// `<name>-hub`: who decides how many hubs run, if the spec does not.
    pub hub_autoscaler: Option<HorizontalPodAutoscaler>,
    /// `<name>`: the public address; `None` until the cluster may be public.
    pub public_service: Option<Service>,
}

/// All children of `cluster`. `public`: whether the cluster may have its public address by now.
pub fn children(
    cluster: &Cluster,
    auth: &Auth,
    keys: &HubKeys,
    defaults: &Defaults,
    public: bool,
) -> Children {
    let policies = cluster.spec.network_policy.enabled;
    let redis_config = config::redis_config(cluster);
    Children {
        auth: auth::secret(cluster, auth),
        hub_token: token::secret(cluster, keys),
        redis_nodes: backplane::nodes_service(cluster),
        redis_service: backplane::service(cluster),
        redis_policy: policies.then(|| policy::redis(cluster, defaults.operator_namespace.as_deref())),
        hub_policy: policies.then(|| policy::hub(cluster)),
        redis_set: backplane::stateful_set(cluster, auth, &config::hash(&redis_config)),
        hub_budget: scale::budget(cluster),
        hub_deployment: hub::deployment(cluster, auth, keys),
        hub_autoscaler: scale::autoscaler(cluster),
        public_service: public.then(|| public::service(cluster)),
        redis_config,
    }
}

#[cfg(test)]
mod tests;
