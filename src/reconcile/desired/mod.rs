//! The fourth step, pure: the desired state of a cluster. Functions from ([`Cluster`], [`Auth`]) to typed
//! Kubernetes objects, one file per group of children. Nothing here reads or writes; everything is tested by
//! comparing whole objects.

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

/// Every child of a `ChatCluster`; `None` where a child should not exist. The struct is destructured without
/// `..` where it is applied, so that a forgotten child does not compile.
#[derive(Clone, Debug, PartialEq)]
pub struct Children {
    /// The Secret `<name>-redis-auth`, with the password.
    pub auth: Secret,
    /// The Secret `<name>-hub-token`, with the hubs' keys.
    pub hub_token: Secret,
    /// The ConfigMap `<name>-redis-config`, with redis.conf.
    pub redis_config: ConfigMap,
    /// The headless Service `<name>-redis-nodes` of Redis's pod.
    pub redis_nodes: Service,
    /// The Service `<name>-redis`, whose name is the hostname that hubs use.
    pub redis_service: Service,
    /// The NetworkPolicy `<name>-redis`: who may reach Redis.
    pub redis_policy: Option<NetworkPolicy>,
    /// The NetworkPolicy `<name>-hub`: who may reach the hubs.
    pub hub_policy: Option<NetworkPolicy>,
    /// The disruption budget `<name>-hub`: how many hubs may be missing while nodes are drained.
    pub hub_budget: PodDisruptionBudget,
    /// The StatefulSet `<name>-redis`, or the fault of `redis.podTemplate`.
    pub redis_set: Result<StatefulSet, WorkloadError>,
    /// The Deployment `<name>-hub`, or the fault of `hub.podTemplate` or `hub.auth`.
    pub hub_deployment: Result<Deployment, WorkloadError>,
    /// The autoscaler `<name>-hub`, which decides on the number of hubs if the spec does not.
    pub hub_autoscaler: Option<HorizontalPodAutoscaler>,
    /// The public Service `<name>`; `None` until the cluster may be public.
    pub public_service: Option<Service>,
}

/// Returns all children of `cluster`. `public`: true if the cluster may have its public Service by now.
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
