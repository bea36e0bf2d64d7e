//! The wiring: watches trigger reconciles, many at a time, and a failed one is tried again.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::channel::mpsc;
use futures::{Stream, StreamExt, TryStreamExt};
use kube::runtime::controller::{self, Action, Controller};
use kube::runtime::reflector::{self, ObjectRef};
use kube::runtime::watcher::{self, Event, watcher};
use kube::runtime::{Config, WatchStreamExt};
use kube::{Api, Client, ResourceExt};
use tokio::sync::watch;
use tracing::{Instrument as _, debug, error, info, warn};

use crate::api::ChatCluster;
use crate::cache::Key;
use crate::ending;
use crate::http::Health;
use crate::metrics::Metrics;
use crate::reconcile::{Context, ReconcileError};
use crate::telemetry;
use crate::validate::Defaults;
use crate::watches;

/// How many clusters are reconciled at a time.
const CONCURRENCY: u16 = 64;
/// How long reconciles under way may take when the operator is asked to end.
const LAST_RECONCILES: Duration = Duration::from_secs(5);
/// The longest wait after failures.
const LONGEST_BACKOFF: Duration = Duration::from_mins(1);

/// What every reconcile is given.
struct Work {
    context: Context,
    /// True once all that reconciles read is known.
    synced: watch::Receiver<bool>,
}

/// Runs the operator until the process is asked to end.
pub async fn run(
    client: Client,
    defaults: Defaults,
    instance: String,
    health: Arc<Health>,
    metrics: Arc<Metrics>,
) {
    let (triggers, triggered) = mpsc::unbounded();
    let caches = health.caches.clone();
    let synced = watches::start(&client, &caches, &triggers, &metrics);
    // Without an election there is one process, and it is the one.
    metrics.leads(true);
    let context = Context::new(client.clone(), defaults, instance, caches, metrics, triggers);
    let work = Arc::new(Work { context, synced });
    let known = health.clone();
    let (reader, writer) = reflector::store();
    work.context.metrics.watches(reader.clone());
    let clusters = reflector::reflector(writer, clusters(client, work.clone(), health)).applied_objects();
    let (queue, changed) = (work.context.metrics.clone(), work.context.metrics.clone());
    let clusters = clusters.inspect_ok(move |cluster| changed.queued(key(&ObjectRef::from_obj(cluster))));
    let triggered = triggered.inspect(move |cluster| queue.queued(key(cluster)));
    let metrics = work.context.metrics.clone();
    let mut ending = ending::asked();
    let mut ended = ending.clone();
    let controller = Controller::for_stream(clusters, reader)
        .with_config(Config::default().concurrency(CONCURRENCY))
        .reconcile_on(triggered)
        .graceful_shutdown_on(async move {
            // The sender is gone only with the process.
            let _ = ended.wait_for(|asked| *asked).await;
        })
        .run(reconcile, back_off, work)
        .for_each(|result| async {
            match result {
                // The log line of a failure is the reconcile's own.
                Ok(_) | Err(controller::Error::ReconcilerFailed(..)) => {}
                // Deleted between the trigger and the reconcile.
                Err(controller::Error::ObjectNotFound(cluster)) => metrics.dequeued(&key(&cluster)),
                Err(error) => error!(%error, "the controller failed; it tries again"),
            }
        });
    let too_long = async {
        let _ = ending.wait_for(|asked| *asked).await;
        // Before the first lists are complete nothing is under way, but the controller would wait for them for ever.
        if known.is_ready() {
            tokio::time::sleep(LAST_RECONCILES).await;
        }
    };
    tokio::select! {
        () = controller => info!("the operator ends"),
        () = too_long => info!("the operator ends with its work undone: the next one takes it up"),
    }
}

/// The watch on `ChatClusters`.
fn clusters(
    client: Client,
    work: Arc<Work>,
    health: Arc<Health>,
) -> impl Stream<Item = watcher::Result<Event<ChatCluster>>> {
    let metrics = work.context.metrics.clone();
    watcher(Api::<ChatCluster>::all(client), watcher::Config::default())
        .modify(|cluster| cluster.managed_fields_mut().clear())
        .inspect_err(move |_| metrics.watch_failed("ChatCluster"))
        .inspect_ok(move |event| match event {
            Event::InitDone => health.clusters_listed(),
            Event::Delete(cluster) => work.context.forget(cluster),
            Event::Init | Event::InitApply(_) | Event::Apply(_) => {}
        })
}

async fn reconcile(object: Arc<ChatCluster>, work: Arc<Work>) -> Result<Action, ReconcileError> {
    let span = telemetry::reconcile_span(&object);
    reconcile_once(object, work).instrument(span).await
}

async fn reconcile_once(object: Arc<ChatCluster>, work: Arc<Work>) -> Result<Action, ReconcileError> {
    let mut synced = work.synced.clone();
    // The sender lives as long as the watches do.
    let _ = synced.wait_for(|synced| *synced).await;
    let metrics = &work.context.metrics;
    metrics.dequeued(&key(&ObjectRef::from_obj(&*object)));
    let started = Instant::now();
    let result = Box::pin(work.context.reconcile(&object)).await;
    metrics.reconciled(started.elapsed(), result.as_ref().err().map(ReconcileError::reason));
    debug!(cluster = object.name_any(), namespace = object.namespace(), ok = result.is_ok(), "reconciled");
    match &result {
        Ok(_) => work.context.succeeded(&object),
        Err(error) => warn!(%error, "the reconcile failed; it is tried again"),
    }
    result
}

/// 0.5 s, doubled with each failure up to [`LONGEST_BACKOFF`], of which a random half is left out.
#[allow(clippy::needless_pass_by_value, reason = "the signature of an error policy")]
fn back_off(object: Arc<ChatCluster>, _: &ReconcileError, work: Arc<Work>) -> Action {
    let failures = work.context.failed(&object);
    let longest = Duration::from_millis(500).saturating_mul(1 << failures.min(10)).min(LONGEST_BACKOFF);
    Action::requeue(longest.mul_f64(rand::random_range(0.5..1.0)))
}

/// Namespace and name.
fn key<K: reflector::Lookup>(cluster: &ObjectRef<K>) -> Key {
    (cluster.namespace.clone().unwrap_or_default(), cluster.name.clone())
}
