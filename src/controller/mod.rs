//! The wiring: watches trigger reconciles, many at a time, and failed ones are retried. The watches run from
//! the start, the reconciles only while this operator leads.

mod malformed;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures::{FutureExt, StreamExt};
use kube::runtime::reflector::{self, Store};
use kube::{Client, ResourceExt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tracing::{Instrument as _, debug, info, warn};

use crate::client::access::Access;
use crate::http::Health;
use crate::key::key;
use crate::lease::{LeaseError, LeaseLock};
use crate::metrics::Metrics;
use crate::queue::{Queue, Running, Urgency};
use crate::reconcile::publisher::{Publisher, Publishing};
use crate::reconcile::schedule::{self, Ended};
use crate::reconcile::validate::Defaults;
use crate::reconcile::{Context, ReconcileError};
use crate::shutdown;
use crate::store::cluster_record::ClusterRecord;
use crate::store::clusters::{self, Clusters};
use crate::store::scope::Scope;
use crate::store::watches;
use crate::telemetry;

/// The most clusters that are reconciled at a time, including those that wait for Redis.
const CONCURRENCY: usize = 64;
/// The time that running reconciles get when the operator is asked to end.
const LAST_RECONCILES: Duration = Duration::from_secs(5);
/// The interval at which the reconcile loop shows that it is not stuck.
const BEAT: Duration = Duration::from_secs(5);

/// The operator's parts, from the command line.
pub struct Operator {
    /// Client that reads at any time, and writes only while this operator leads.
    pub client: Client,
    /// Whether the API server answers, as the client's requests show.
    pub access: Arc<Access>,
    /// The namespaces that are served.
    pub scope: Scope,
    /// Defaults for fields that a cluster leaves out.
    pub defaults: Defaults,
    /// The name under which events are reported.
    pub instance: String,
    /// The state behind the health endpoints.
    pub health: Arc<Health>,
    /// The operator's metrics.
    pub metrics: Arc<Metrics>,
    /// True once the process has been asked to end.
    pub ending: watch::Receiver<bool>,
}

/// The parts that every reconcile uses.
struct Work {
    context: Context,
    queue: Arc<Queue>,
    metrics: Arc<Metrics>,
    /// True once all watch caches are complete.
    synced: watch::Receiver<bool>,
}

impl Operator {
    /// Watches at once, and reconciles once `lock` is acquired (without a lock at once), until the process is
    /// asked to end.
    ///
    /// # Errors
    /// If the Lease is lost. Another operator may lead already, so the process must end.
    pub async fn run(self, lock: Option<LeaseLock>) -> Result<(), LeaseError> {
        let queue = Queue::new(self.metrics.clone());
        let Self { client, scope, defaults, instance, health, metrics, .. } = &self;
        let (synced, tasks) = watches::start(client, scope, &health.caches, &queue, metrics);
        let (caches, metrics) = (health.caches.clone(), metrics.clone());
        let (store, writer) = reflector::store();
        let (publisher, publishing) = Publisher::start(client.clone(), instance.clone());
        let context = Context::new(
            client.clone(),
            defaults.clone(),
            publisher.clone(),
            caches,
            metrics.clone(),
            queue.clone(),
            store.clone(),
        );
        let work = Arc::new(Work { context, queue: queue.clone(), metrics, synced });
        let (wrote, gone) = (work.clone(), work.clone());
        let clusters = clusters::start(
            client,
            scope,
            &queue,
            &self.metrics,
            (store, writer),
            move |cluster| wrote.context.is_own_write(cluster),
            move |cluster| gone.context.forget(cluster),
        );
        health.depends_on(tasks.into_iter().chain([clusters.task.clone()]));

        let Some(lock) = lock else {
            self.lead(&work, clusters, (publisher, publishing)).await;
            return Ok(());
        };
        let leadership = tokio::select! {
            leadership = lock.acquire() => leadership,
            () = self.stand_by(&clusters.store) => return Ok(()),
        };
        let (done, is_done) = watch::channel(false);
        // A task of its own: renewals must not wait for reconciles.
        let mut keeper = tokio::spawn(leadership.keep(shutdown::wait(is_done)));
        let kept = tokio::select! {
            kept = &mut keeper => kept,
            () = self.lead(&work, clusters, (publisher, publishing)) => {
                done.send_replace(true);
                keeper.await
            }
        };
        match kept {
            Ok(leadership) => leadership?.release().await,
            Err(panic) => return Err(LeaseError::NotRenewed { last: panic.to_string() }),
        }
        Ok(())
    }

    /// Keeps the watch caches warm without reconciling, until the process is asked to end.
    async fn stand_by(&self, store: &Store<ClusterRecord>) {
        let listed = async {
            self.has_listed(store).await;
            std::future::pending::<()>().await;
        };
        tokio::select! {
            () = self.beat() => {}
            () = listed => {}
            () = shutdown::wait(self.ending.clone()) => info!("the operator ends; it did not lead"),
        }
    }

    async fn has_listed(&self, store: &Store<ClusterRecord>) {
        if store.wait_until_ready().await.is_ok() {
            self.health.clusters_listed();
        }
    }

    /// Reconciles until the process is asked to end.
    async fn lead(
        &self,
        work: &Arc<Work>,
        clusters: Clusters,
        (publisher, publishing): (Arc<Publisher>, Publishing),
    ) {
        let Clusters { store, malformed, .. } = clusters;
        self.metrics.leads(true);
        work.queue.open();
        for cluster in store.state() {
            work.queue.push(&key(&*cluster), cluster.urgency());
        }
        let reconciles = async {
            self.has_listed(&store).await;
            let mut synced = work.synced.clone();
            // The sender lives as long as the watches do.
            let _ = synced.wait_for(|synced| *synced).await;
            reconcile_all(work, shutdown::wait(self.ending.clone())).await;
        };
        let beside = async {
            tokio::join!(
                malformed::report(self.client.clone(), &publisher, malformed),
                self.retry_after_recoveries(work, &store),
                self.beat(),
            )
        };
        tokio::select! {
            () = reconciles => info!("the operator ends"),
            () = self.too_long() => info!("the operator ends with its work undone: the next one takes it up"),
            _ = beside => {}
        }
        publishing.finish().await;
    }

    /// Reports liveness from within the reconcile loop, so that a stuck loop fails the liveness probe.
    async fn beat(&self) {
        let mut beat = tokio::time::interval(BEAT);
        loop {
            beat.tick().await;
            self.health.beats();
        }
    }

    /// Retries clusters that failed while the API server did not answer as soon as it does, rather than at
    /// the end of their back-off.
    async fn retry_after_recoveries(&self, work: &Work, store: &Store<ClusterRecord>) {
        let mut recoveries = self.access.recoveries();
        while recoveries.changed().await.is_ok() {
            for cluster in store.state() {
                if work.context.is_failing(&*cluster) {
                    work.queue.push(&key(&*cluster), Urgency::Now);
                }
            }
            tokio::time::sleep(schedule::RECOVERY).await;
        }
    }

    async fn too_long(&self) {
        shutdown::wait(self.ending.clone()).await;
        // Until the first lists are complete, no reconcile is running.
        if self.health.knows_all() {
            tokio::time::sleep(LAST_RECONCILES).await;
        }
    }
}

/// Reconciles clusters from the queue until `ending`, then waits for the reconciles that are running.
async fn reconcile_all(work: &Arc<Work>, ending: impl Future<Output = ()>) {
    let mut clusters = std::pin::pin!(work.queue.clone().clusters().take_until(ending));
    // Each reconcile is a task, so that all processors are used. The tasks end with this function.
    let mut running = JoinSet::new();
    loop {
        tokio::select! {
            cluster = clusters.next(), if running.len() < CONCURRENCY => match cluster {
                Some(cluster) => {
                    running.spawn(reconcile(cluster, work.clone()));
                }
                None => break,
            },
            Some(ended) = running.join_next() => ended.expect("a panic of a reconcile is its error"),
        }
    }
    running.join_all().await;
}

async fn reconcile(mut running: Running, work: Arc<Work>) {
    running.begin();
    // A cluster that was deleted meanwhile leaves nothing to do.
    if let Some(object) = work.context.cluster(running.cluster()) {
        let span = telemetry::reconcile_span(&*object);
        let ended = reconcile_once(&object, &work).instrument(span).await;
        if work.context.current(&*object).is_none() {
            // The cluster was deleted during the reconcile, which may have remembered something of it since.
            work.context.forget(&*object);
        } else if let Some(again) = schedule::requeue_after(ended, rand::random()) {
            work.queue.push_after(running.cluster(), again);
        }
    }
}

/// Reconciles one cluster, counts it, and returns how it ended.
async fn reconcile_once(object: &ClusterRecord, work: &Work) -> Ended {
    let started = Instant::now();
    let reconcile = Box::pin(async { work.context.reconcile(&object.cluster()).await });
    let result = survive(reconcile).await;
    work.metrics.reconciled(started.elapsed(), result.as_ref().err().map(ReconcileError::reason));
    debug!(cluster = object.name_any(), namespace = object.namespace(), ok = result.is_ok(), "reconciled");
    match result {
        Ok(ended) => {
            work.context.record_success(object);
            ended
        }
        Err(error) => {
            warn!(%error, "the reconcile failed; it is tried again");
            Ended::Failed(work.context.record_failure(object))
        }
    }
}

/// Turns a panic into an error of this one reconcile. Reconciles share only state behind locks, which no
/// panic leaves half written.
async fn survive<T>(reconcile: impl Future<Output = Result<T, ReconcileError>>) -> Result<T, ReconcileError> {
    AssertUnwindSafe(reconcile).catch_unwind().await.unwrap_or_else(|panic| {
        let message = panic.downcast_ref::<String>().map(String::as_str);
        let message = message.or_else(|| panic.downcast_ref::<&str>().copied()).unwrap_or("without a word");
        Err(ReconcileError::Panicked(message.to_owned()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_reconcile_that_panics_has_failed_and_no_more() {
        let panics = async { panic!("index {} is out of bounds", 7) };

        let error = survive::<()>(panics).await.unwrap_err();

        assert!(error.to_string().contains("index 7 is out of bounds"), "{error}");
    }
}
