//! Keys and queues for all who hear something: clients, and streams of theirs.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::members::ConnectionKey;
use crate::metrics::Metrics;
use crate::outbox::{Flusher, Limits, Outbox, Pulse};

/// See the module.
#[derive(Debug)]
pub struct Listeners {
    limits: Limits,
    flusher: Arc<Flusher<Outbox>>,
    start: Instant,
    last_key: AtomicU64,
}

impl Listeners {
    /// None yet. Needs a Tokio runtime.
    pub fn start(limits: Limits, metrics: &Metrics) -> Self {
        let flusher = Flusher::start(&metrics.flush_seconds);
        Self { limits, flusher, start: Instant::now(), last_key: AtomicU64::new(0) }
    }

    /// A new one: a key and a queue.
    pub fn create(&self) -> (ConnectionKey, Arc<Outbox>) {
        let key = self.last_key.fetch_add(1, Ordering::Relaxed) + 1;
        (key, Arc::new(Outbox::new(self.limits, Arc::clone(&self.flusher), Pulse::new(self.start))))
    }
}
