//! What the operator counts, in the Prometheus text format.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use crate::apply::Outcome;

/// Counters since the process started.
#[derive(Debug, Default)]
pub struct Metrics {
    reconciles: AtomicU64,
    errors: AtomicU64,
    microseconds: AtomicU64,
    /// By kind and what was done.
    writes: Mutex<BTreeMap<(String, &'static str), u64>>,
}

impl Metrics {
    /// A reconcile ended.
    pub fn reconciled(&self, took: Duration, well: bool) {
        self.reconciles.fetch_add(1, Relaxed);
        self.errors.fetch_add(u64::from(!well), Relaxed);
        self.microseconds.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Relaxed);
    }

    /// A child of that kind was written.
    pub fn wrote(&self, kind: &str, outcome: &Outcome) {
        let done = match outcome {
            Outcome::Created => "created",
            Outcome::Updated => "updated",
            Outcome::Repaired(_) => "repaired",
            Outcome::Removed => "removed",
            Outcome::Recreating(_) => "recreated",
            Outcome::Grown { .. } => "grown",
            Outcome::Unchanged | Outcome::Absent | Outcome::Leaving => return,
        };
        let mut writes = self.writes.lock().unwrap_or_else(PoisonError::into_inner);
        *writes.entry((kind.to_owned(), done)).or_default() += 1;
    }

    /// All of them. See <https://prometheus.io/docs/instrumenting/exposition_formats/>.
    pub fn render(&self) -> String {
        let mut text = String::new();
        let counter = |text: &mut String, name: &str, help: &str| {
            // Writing to a String cannot fail.
            let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
        };
        counter(&mut text, "chatcluster_reconciles_total", "Reconciles that ended.");
        let _ = writeln!(text, "chatcluster_reconciles_total {}", self.reconciles.load(Relaxed));
        counter(
            &mut text,
            "chatcluster_reconcile_errors_total",
            "Reconciles that failed and are tried again.",
        );
        let _ = writeln!(text, "chatcluster_reconcile_errors_total {}", self.errors.load(Relaxed));
        counter(&mut text, "chatcluster_reconcile_seconds_total", "Time spent in reconciles.");
        let seconds = Duration::from_micros(self.microseconds.load(Relaxed)).as_secs_f64();
        let _ = writeln!(text, "chatcluster_reconcile_seconds_total {seconds}");
        counter(&mut text, "chatcluster_writes_total", "Children written, by kind and what was done.");
        for ((kind, done), count) in &*self.writes.lock().unwrap_or_else(PoisonError::into_inner) {
            let _ = writeln!(text, "chatcluster_writes_total{{kind=\"{kind}\",done=\"{done}\"}} {count}");
        }
        text
    }
}
