//! The second step, which reads: all that a reconcile knows of the cluster, in one plain struct. No later
//! step reads.

mod observed;
mod redis;
mod user_secrets;

use std::net::IpAddr;
use std::sync::Arc;

use k8s_openapi::api::core::v1::Pod;
use kube::{Resource, ResourceExt};

use tokio::sync::SemaphorePermit;

use crate::queue::Queue;
use crate::reconcile::validate::{Cluster, SecretKeyRef, auth_of, owns};
use crate::store::watches::Caches;
use chatcluster_api::names::{self, COMPONENT, Component, REDIS_CONTAINER};
use chatcluster_api::pods::{container_status, is_ready};

pub use observed::Observed;
pub use redis::{RedisProbe, RedisReport, Subscriber};
pub use user_secrets::{SecretTimeout, UserSecrets};

use redis::ProbeInputs;

/// Reads the state of `cluster`: from the caches, and by asking Redis. Most of it is read in this reconcile's
/// turn of the queue, which begins after Redis has answered and lasts as long as the returned
/// [`SemaphorePermit`].
pub async fn observe<'a>(
    cluster: &Cluster,
    caches: &Caches,
    user_secrets: &UserSecrets,
    redis: &RedisProbe,
    queue: &'a Queue,
) -> Result<(Observed, SemaphorePermit<'a>), SecretTimeout> {
    let (namespace, name) = (cluster.namespace.as_str(), cluster.name.as_str());
    let spec = &cluster.spec;
    let wanted = [
        spec.redis.auth.existing_secret.as_ref().map(SecretKeyRef::from),
        spec.hub.auth.as_ref().map(|auth| SecretKeyRef::from(&auth.key_secret)),
    ];
    let [user_secret, hub_secret] = user_secrets.follow(namespace, name, wanted).await?;

    let pods = caches.pods.of_cluster(namespace, name);
    let of_component = |component: Component| {
        pods.iter()
            .filter(move |pod| pod.labels().get(COMPONENT).map(String::as_str) == Some(component.as_str()))
    };
    let redis_pod =
        of_component(Component::Backplane).find(|pod| pod.name_any() == names::redis_pod(name)).cloned();
    let hub_pods: Vec<_> =
        of_component(Component::Hub).filter(|pod| pod.meta().deletion_timestamp.is_none()).cloned().collect();

    let auth = ours(caches.secrets.get(namespace, &names::redis_auth(name)), cluster);
    let known = auth.as_deref().and_then(auth_of);
    let mut report = RedisReport::NotAsked;
    let mut unsubscribed_hubs = Vec::new();
    if let (Some(known), Some(pod)) = (known, redis_pod.as_deref())
        && let Some(inputs) = inputs(pod, &hub_pods, known.revision)
    {
        report = redis.ask(&cluster.uid, &inputs, &known.password).await;
        unsubscribed_hubs = inputs.unsubscribed(&report).into_iter().map(str::to_owned).collect();
    }

    let turn = queue.turn().await;
    let claim = caches.claims.get(namespace, &names::redis_claim(name));
    let class = claim.as_ref().and_then(|c| c.spec.as_ref()?.storage_class_name.clone());
    let observed = Observed {
        auth,
        user_secret,
        hub_token: ours(caches.secrets.get(namespace, &names::hub_token(name)), cluster),
        hub_secret,
        redis_set: ours(caches.stateful_sets.get(namespace, &names::redis(name)), cluster),
        hub_deployment: ours(caches.deployments.get(namespace, &names::hub(name)), cluster),
        hub_autoscaler: ours(caches.autoscalers.get(namespace, &names::hub(name)), cluster),
        public_service: ours(caches.services.get(namespace, name), cluster),
        redis_pod,
        hub_pods,
        claim,
        without_storage_classes: caches.without_storage_classes,
        storage_class: class.and_then(|class| caches.storage_classes.get("", &class)),
        redis: report,
        unsubscribed_hubs,
    };
    Ok((observed, turn))
}

fn ours<K: Resource>(object: Option<Arc<K>>, cluster: &Cluster) -> Option<Arc<K>> {
    object.filter(|object| owns(cluster, &**object))
}

/// Returns the inputs for asking Redis; `None` until its container runs and its pod has an address.
fn inputs(redis: &Pod, hubs: &[Arc<Pod>], revision: String) -> Option<ProbeInputs> {
    let container = container_status(redis, REDIS_CONTAINER)?;
    container.state.as_ref()?.running.as_ref()?;
    Some(ProbeInputs {
        redis: (redis.uid()?, container.restart_count, is_ready(redis)),
        address: address(redis)?,
        revision,
        hubs: hubs.iter().filter(|hub| is_ready(hub)).map(|hub| (hub.name_any(), address(hub))).collect(),
    })
}

fn address(pod: &Pod) -> Option<IpAddr> {
    pod.status.as_ref()?.pod_ip.as_ref()?.parse().ok()
}
