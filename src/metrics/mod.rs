//! The operator's metrics. Labels have few values by design: none is the name of an object.
//!
//! docs/operations.md names each metric; the chart's alerts and dashboard use no others (a test below checks
//! that).

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, text::encode};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use chatcluster_api::ConditionType;

/// Buckets in seconds: from a reconcile that only reads caches to one that waits for an answer up to its time
/// limit.
const SECONDS: [f64; 10] = [0.001, 0.005, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0];

/// The media type of [`Metrics::render`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The operator's metrics, counted since the process started.
#[derive(Debug)]
pub struct Metrics {
    reconciles: Counter,
    reconcile_duration: Histogram,
    reconcile_errors: Family<Reason, Counter>,
    drift_repaired: Family<Kind, Counter>,
    writes: Family<Write, Counter>,
    watch_errors: Family<Kind, Counter>,
    requests: Family<Request, Counter>,
    queue_depth: Gauge,
    leader: Gauge,
    clusters: Family<InCondition, Gauge>,
    registry: Mutex<Registry>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    kind: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Write {
    kind: String,
    outcome: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Request {
    verb: &'static str,
    resource: String,
    code: String,
}

/// The labels under which a cluster is counted for one of its conditions.
#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
pub(crate) struct InCondition {
    /// The type of the condition.
    pub(crate) condition: String,
    /// `True`, `False` or `Unknown`.
    pub(crate) status: String,
    /// The condition's reason.
    pub(crate) reason: String,
}

impl Default for Metrics {
    fn default() -> Self {
        let metrics = Self {
            reconciles: Counter::default(),
            reconcile_duration: Histogram::new(SECONDS),
            reconcile_errors: Family::default(),
            drift_repaired: Family::default(),
            writes: Family::default(),
            watch_errors: Family::default(),
            requests: Family::default(),
            queue_depth: Gauge::default(),
            leader: Gauge::default(),
            clusters: Family::default(),
            registry: Mutex::new(Registry::with_prefix("chatcluster")),
        };
        metrics.register();
        metrics
    }
}

impl Metrics {
    /// Registers all metrics. The encoder appends `_total` to the names of counters and `_info` to those of
    /// infos.
    fn register(&self) {
        let mut registry = lock(&self.registry);
        registry.register("reconciles", "Reconciles that ended, well or not", self.reconciles.clone());
        registry.register(
            "reconcile_duration_seconds",
            "How long reconciles took, failed ones too",
            self.reconcile_duration.clone(),
        );
        registry.register(
            "reconcile_errors",
            "Reconciles that failed and are tried again, by what failed",
            self.reconcile_errors.clone(),
        );
        registry.register(
            "reconcile_queue_depth",
            "ChatClusters that wait for a reconcile",
            self.queue_depth.clone(),
        );
        registry.register(
            "drift_repaired",
            "Children that someone else had changed or deleted and that are as they should be again",
            self.drift_repaired.clone(),
        );
        registry.register("writes", "Attempts to write, by kind and what came of it", self.writes.clone());
        registry.register(
            "watch_errors",
            "Times that a watch failed and was tried again, by the kind that it watches",
            self.watch_errors.clone(),
        );
        registry.register(
            "api_requests",
            "Requests to the API server; code is the HTTP status, or error where there was no answer",
            self.requests.clone(),
        );
        registry.register("leader", "1 in the process that reconciles", self.leader.clone());
        registry.register(
            "clusters",
            "ChatClusters by the status and reason of each condition",
            self.clusters.clone(),
        );
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        registry.register("build", "What runs", Info::new(version.to_vec()));
    }

    /// Sets the number of clusters that wait for a reconcile.
    pub fn queue_depth(&self, clusters: usize) {
        self.queue_depth.set(i64::try_from(clusters).unwrap_or(i64::MAX));
    }

    /// Counts a reconcile that ended. `error` is the reason of its failure, one of a few words.
    pub fn reconciled(&self, took: Duration, error: Option<&'static str>) {
        self.reconciles.inc();
        self.reconcile_duration.observe(took.as_secs_f64());
        if let Some(reason) = error {
            self.reconcile_errors.get_or_create(&Reason { reason }).inc();
        }
    }

    /// Counts a status that was written.
    pub fn wrote_status(&self) {
        self.wrote("ChatCluster", "status");
    }

    /// Counts a write of a child of that kind, or a failed attempt. The outcome is one of a few words.
    pub fn wrote(&self, kind: &str, outcome: &'static str) {
        self.writes.get_or_create(&Write { kind: kind.to_owned(), outcome }).inc();
    }

    /// Counts a child that somebody had changed or deleted, and that was repaired.
    pub fn drift_repaired(&self, kind: &str) {
        self.drift_repaired.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// Counts a watch that failed.
    pub fn watch_failed(&self, kind: &str) {
        self.watch_errors.get_or_create(&Kind { kind: kind.to_owned() }).inc();
    }

    /// Counts a request to the API server by its answer, or by its failure.
    pub fn requested(&self, verb: &'static str, resource: String, status: Option<u16>) {
        let code = status.map_or_else(|| "error".to_owned(), |status| status.to_string());
        self.requests.get_or_create(&Request { verb, resource, code }).inc();
    }

    /// Sets whether this process leads.
    pub fn leads(&self, leads: bool) {
        self.leader.set(i64::from(leads));
    }

    /// Moves a cluster from its conditions `before` to its conditions `after`. `None` stands for no cluster:
    /// a new one has no `before`, a deleted one no `after`.
    pub(crate) fn cluster_changed(&self, before: Option<Vec<InCondition>>, after: Option<Vec<InCondition>>) {
        // The lock is held to the end, so that no scrape sees a cluster that is counted in part.
        let _registry = lock(&self.registry);
        for (conditions, by) in [(before, -1), (after, 1)] {
            if let Some(conditions) = conditions {
                self.count_conditions(conditions, by);
            }
        }
    }

    /// Returns all metrics as `OpenMetrics` text. See
    /// <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    pub fn render(&self) -> String {
        let registry = lock(&self.registry);
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        text
    }

    fn count_conditions(&self, mut conditions: Vec<InCondition>, by: i64) {
        if conditions.is_empty() {
            let [condition, status, reason] =
                [ConditionType::Ready.as_str(), "Unknown", "NotReconciled"].map(str::to_owned);
            conditions.push(InCondition { condition, status, reason });
        }
        for condition in conditions {
            let before = self.clusters.get_or_create(&condition).inc_by(by);
            if before + by == 0 {
                self.clusters.remove(&condition);
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // A panic cannot leave the state behind these locks half written.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
