//! The watches: one for each kind, shared by all clusters. Each fills a cache and queues the clusters that an
//! event concerns.

use std::fmt::Debug;
use std::sync::Arc;
use std::time::Duration;

use futures::stream::{self, BoxStream};
use futures::{Stream, StreamExt};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::runtime::utils::StreamBackoff;
use kube::runtime::watcher::{self, Config, Event, watcher};
use kube::{Api, Client, Resource};
use serde::de::DeserializeOwned;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::warn;

use crate::metrics::Metrics;
use crate::queue::{Queue, Urgency};
use crate::store::cache::{Affected, Cache};
use crate::store::scope::{Part, Scope};
use crate::store::undecoded::Undecoded;
use chatcluster_api::names::{MANAGED_BY, OPERATOR};

/// The watch caches of all kinds that reconciles read.
#[derive(Debug, Default)]
pub struct Caches {
    /// Secrets that the operator created.
    pub secrets: Cache<Secret>,
    /// `ConfigMaps` that the operator created.
    pub config_maps: Cache<ConfigMap>,
    /// Services that the operator created.
    pub services: Cache<Service>,
    /// `StatefulSets` that the operator created.
    pub stateful_sets: Cache<StatefulSet>,
    /// Deployments that the operator created.
    pub deployments: Cache<Deployment>,
    /// Network policies that the operator created.
    pub policies: Cache<NetworkPolicy>,
    /// Autoscalers that the operator created.
    pub autoscalers: Cache<HorizontalPodAutoscaler>,
    /// Disruption budgets that the operator created.
    pub budgets: Cache<PodDisruptionBudget>,
    /// The clusters' pods, without their specs.
    pub pods: Cache<Pod>,
    /// The clusters' persistent volume claims.
    pub claims: Cache<PersistentVolumeClaim>,
    /// All storage classes. Empty if only some namespaces are watched, because storage classes are
    /// cluster-scoped.
    pub storage_classes: Cache<StorageClass>,
    /// True if only some namespaces are watched.
    pub without_storage_classes: bool,
}

impl Caches {
    /// Creates empty caches of the objects in `scope`.
    pub fn within(scope: &Scope) -> Self {
        Self {
            secrets: Cache::within(scope),
            config_maps: Cache::within(scope),
            services: Cache::within(scope),
            stateful_sets: Cache::within(scope),
            deployments: Cache::within(scope),
            policies: Cache::within(scope),
            autoscalers: Cache::within(scope),
            budgets: Cache::within(scope),
            pods: Cache::within(scope),
            claims: Cache::within(scope),
            storage_classes: Cache::default(),
            without_storage_classes: *scope != Scope::Cluster,
        }
    }

    /// Returns the kinds whose first list is not complete yet.
    pub fn missing(&self) -> Vec<&'static str> {
        let Self {
            secrets,
            config_maps,
            services,
            stateful_sets,
            deployments,
            policies,
            autoscalers,
            budgets,
            pods,
            claims,
            storage_classes,
            without_storage_classes,
        } = self;
        [
            ("secrets", secrets.is_synced()),
            ("configmaps", config_maps.is_synced()),
            ("services", services.is_synced()),
            ("statefulsets", stateful_sets.is_synced()),
            ("deployments", deployments.is_synced()),
            ("networkpolicies", policies.is_synced()),
            ("horizontalpodautoscalers", autoscalers.is_synced()),
            ("poddisruptionbudgets", budgets.is_synced()),
            ("pods", pods.is_synced()),
            ("persistentvolumeclaims", claims.is_synced()),
            ("storageclasses", *without_storage_classes || storage_classes.is_synced()),
        ]
        .into_iter()
        .filter_map(|(kind, synced)| (!synced).then_some(kind))
        .collect()
    }
}

/// Starts all watches. The receiver becomes true once every cache is complete. No reconcile may run before,
/// because it would create objects that exist. The tasks end only by a panic.
pub fn start(
    client: &Client,
    scope: &Scope,
    caches: &Arc<Caches>,
    queue: &Arc<Queue>,
    metrics: &Arc<Metrics>,
) -> (watch::Receiver<bool>, Vec<AbortHandle>) {
    let (synced, receiver) = watch::channel(false);
    let mut watches = Watches {
        client: client.clone(),
        scope: scope.clone(),
        caches: caches.clone(),
        queue: queue.clone(),
        metrics: metrics.clone(),
        synced: Arc::new(synced),
        tasks: Vec::new(),
    };
    let ours = Config::default().labels(&format!("{MANAGED_BY}={OPERATOR}"));
    watches.start(&ours, |caches| &caches.secrets);
    watches.start(&ours, |caches| &caches.config_maps);
    watches.start(&ours, |caches| &caches.services);
    watches.start(&ours, |caches| &caches.stateful_sets);
    watches.start(&ours, |caches| &caches.deployments);
    watches.start(&ours, |caches| &caches.policies);
    watches.start(&ours, |caches| &caches.autoscalers);
    watches.start(&ours, |caches| &caches.budgets);
    let pods = events_within::<Undecoded<Pod>>(scope, client, &ours, metrics);
    let pods = pods.map(|(part, event)| (part, event.modify(Undecoded::remove_spec))).boxed();
    watches.follow(pods, |caches| &caches.pods, Urgency::Soon);
    watches.follow(events_within(scope, client, &ours, metrics), |caches| &caches.claims, Urgency::Soon);
    // Storage classes are cluster-scoped.
    if !caches.without_storage_classes {
        let classes = events(Api::all(client.clone()), Config::default(), metrics.clone());
        let classes = classes.map(|event| (Part::Cluster, event)).boxed();
        watches.follow(classes, |caches| &caches.storage_classes, Urgency::Later);
    }
    (receiver, watches.tasks)
}

/// A kind that can be watched.
pub(crate) trait Watched:
    Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
}

impl<K> Watched for K where
    K: Resource<DynamicType = ()> + Clone + DeserializeOwned + Debug + Send + Sync + 'static
{
}

struct Watches {
    client: Client,
    scope: Scope,
    caches: Arc<Caches>,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    synced: Arc<watch::Sender<bool>>,
    tasks: Vec<AbortHandle>,
}

impl Watches {
    /// Watches a kind of children.
    fn start<K>(&mut self, config: &Config, cache: fn(&Caches) -> &Cache<K>)
    where
        K: Watched<Scope = NamespaceResourceScope>,
    {
        let events = events_within(&self.scope, &self.client, config, &self.metrics);
        self.follow(events, cache, Urgency::Now);
    }

    /// Follows `events`, and queues the clusters that they concern with an urgency of at most `most`.
    fn follow<K>(
        &mut self,
        mut events: BoxStream<'static, (Part, Event<Undecoded<K>>)>,
        cache: fn(&Caches) -> &Cache<K>,
        most: Urgency,
    ) where
        K: Watched,
    {
        let (caches, queue, synced) = (self.caches.clone(), self.queue.clone(), self.synced.clone());
        let task = tokio::spawn(async move {
            while let Some((part, event)) = events.next().await {
                let listed = matches!(event, Event::InitDone);
                let deleted = matches!(event, Event::Delete(_));
                let Affected { clusters, urgency } = cache(&caches).observe(&part, event);
                let push = move |queue: &Queue| {
                    for cluster in &clusters {
                        queue.push(cluster, urgency.max(most));
                    }
                };
                if deleted {
                    let queue = queue.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(WITH_ITS_CLUSTER).await;
                        push(&queue);
                    });
                } else {
                    push(&queue);
                }
                if listed && caches.missing().is_empty() {
                    synced.send_replace(true);
                }
            }
        });
        self.tasks.push(task.abort_handle());
    }
}

/// The delay of a reconcile after a deletion: the object may have gone with its cluster, and the watch of
/// clusters may deliver that later.
const WITH_ITS_CLUSTER: Duration = Duration::from_millis(10);
/// The longest wait before a failed watch is retried: a dozen requests in that time are no burden, and no
/// change is seen before.
const LONGEST_BACKOFF: Duration = Duration::from_secs(5);
/// The length of a watch in seconds, after which a new one begins. It bounds the time until a connection that
/// died silently is noticed.
const WATCH_SECONDS: u32 = 60;

/// The number of objects in a page of a list. A decoded object takes ten times the memory of a cached one.
const PAGE: u32 = 50;

/// kube's own back-off with jitter, up to [`LONGEST_BACKOFF`].
struct Backoff(watcher::DefaultBackoff);

impl Iterator for Backoff {
    type Item = Duration;

    fn next(&mut self) -> Option<Duration> {
        let longest = LONGEST_BACKOFF.mul_f64(rand::random_range(0.5..1.0));
        self.0.next().map(|wait| wait.min(longest))
    }
}

impl kube::runtime::utils::Backoff for Backoff {
    fn reset(&mut self) {
        // The watcher calls this before each list, also before one that fails. The back-off restarts by
        // itself after two minutes without a failure.
    }
}

/// Returns the events of all objects of a kind in `scope`, each with the part of the scope whose watch
/// delivered it.
pub(crate) fn events_within<K>(
    scope: &Scope,
    client: &Client,
    config: &Config,
    metrics: &Arc<Metrics>,
) -> BoxStream<'static, (Part, Event<K>)>
where
    K: Watched<Scope = NamespaceResourceScope>,
{
    let watch = |part: Part| {
        let events = events(part.api(client), config.clone(), metrics.clone());
        events.map(move |event| (part.clone(), event)).boxed()
    };
    stream::select_all(scope.parts().into_iter().map(watch)).boxed()
}

/// Returns the events of a watch that never ends: errors are logged and counted, and retried with back-off
/// and jitter. The objects come without managed fields, which nothing reads and which would take more memory
/// than the rest.
pub(crate) fn events<K: Watched>(
    api: Api<K>,
    config: Config,
    metrics: Arc<Metrics>,
) -> impl Stream<Item = Event<K>> + Send {
    let stream = watcher(api, config.timeout(WATCH_SECONDS).page_size(PAGE));
    StreamBackoff::new(stream, Backoff(watcher::DefaultBackoff::default())).filter_map(move |event| {
        let event = event.inspect_err(|error| {
            metrics.watch_failed(&K::kind(&()));
            warn!(kind = %K::kind(&()), %error, "the watch failed; it is tried again");
        });
        let event = event.ok().map(|event| event.modify(|object| object.meta_mut().managed_fields = None));
        std::future::ready(event)
    })
}
