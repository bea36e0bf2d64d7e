//! Every child of a cluster, in the order in which they depend on each other: for the writes, and for the
//! plan that only lists them.

use crate::reconcile::desired::{Children, WorkloadError};
use crate::store::cache::Cache;
use crate::store::watches::Caches;
use chatcluster_api::names;

use super::decide::Child;

/// An action on each child.
pub(super) trait ChildAction<'a> {
    /// The result of the action on one child.
    type Output;

    /// Acts on a child that should be as desired.
    fn ensure<K: Child>(&self, cache: &'a Cache<K>, desired: K) -> Self::Output;

    /// Acts on a child that should not exist.
    fn remove<K: Child>(&self, cache: &'a Cache<K>, name: &str) -> Self::Output;

    /// Acts on a workload whose desired state cannot be built.
    fn refuse(&self, error: WorkloadError) -> Self::Output;

    fn ensure_or_remove<K: Child>(
        &self,
        cache: &'a Cache<K>,
        desired: Option<K>,
        name: &str,
    ) -> Self::Output {
        match desired {
            Some(desired) => self.ensure(cache, desired),
            None => self.remove(cache, name),
        }
    }

    fn ensure_or_refuse<K: Child>(
        &self,
        cache: &'a Cache<K>,
        desired: Result<K, WorkloadError>,
    ) -> Self::Output {
        match desired {
            Ok(desired) => self.ensure(cache, desired),
            Err(error) => self.refuse(error),
        }
    }
}

/// The results of an action on all children.
pub(super) struct Stages<D> {
    /// The objects that pods mount, the network policies and the disruption budget, and the Service that
    /// names Redis's pod.
    pub(super) foundation: Vec<D>,
    /// The Service by which hubs reach Redis.
    pub(super) redis_service: D,
    /// The StatefulSet of Redis.
    pub(super) redis: D,
    /// The Deployment of the hubs.
    pub(super) hubs: D,
    /// The autoscaler of the Deployment.
    pub(super) scaling: D,
    /// The public Service, if there may be one.
    pub(super) public: Option<D>,
}

/// Applies `action` to each child of the cluster `name`.
pub(super) fn stages<'a, E: ChildAction<'a>>(
    children: Children,
    caches: &'a Caches,
    name: &str,
    action: &E,
) -> Stages<E::Output> {
    let Children {
        auth,
        hub_token,
        redis_config,
        redis_nodes,
        redis_service,
        redis_policy,
        hub_policy,
        hub_budget,
        redis_set,
        hub_deployment,
        hub_autoscaler,
        public_service,
    } = children;
    let (redis, hub) = (names::redis(name), names::hub(name));
    Stages {
        foundation: vec![
            action.ensure(&caches.secrets, auth),
            action.ensure(&caches.secrets, hub_token),
            action.ensure(&caches.config_maps, redis_config),
            action.ensure(&caches.services, redis_nodes),
            action.ensure_or_remove(&caches.policies, redis_policy, &redis),
            action.ensure_or_remove(&caches.policies, hub_policy, &hub),
            action.ensure(&caches.budgets, hub_budget),
        ],
        redis_service: action.ensure(&caches.services, redis_service),
        redis: action.ensure_or_refuse(&caches.stateful_sets, redis_set),
        hubs: action.ensure_or_refuse(&caches.deployments, hub_deployment),
        scaling: action.ensure_or_remove(&caches.autoscalers, hub_autoscaler, &hub),
        public: public_service.map(|service| action.ensure(&caches.services, service)),
    }
}
