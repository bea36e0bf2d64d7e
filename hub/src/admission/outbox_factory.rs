//! Creates keys and queues for all that receive messages: connections, and streams of clients.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use crate::members::ConnectionKey;
use crate::metrics::Metrics;
use crate::outbox::{Activity, Flusher, Limits, Outbox};

/// Creates the keys and outboxes of this process.
#[derive(Debug)]
pub struct OutboxFactory {
    limits: Limits,
    flusher: Arc<Flusher<Outbox>>,
    start: Instant,
    last_key: AtomicU64,
}

impl OutboxFactory {
    /// A factory that has created nothing yet. Needs a Tokio runtime.
    pub fn start(limits: Limits, metrics: &Metrics) -> Self {
        let flusher = Flusher::start(&metrics.flush_seconds);
        Self { limits, flusher, start: Instant::now(), last_key: AtomicU64::new(0) }
    }

    /// Creates a key and an outbox.
    pub fn create(&self) -> (ConnectionKey, Arc<Outbox>) {
        let key = self.last_key.fetch_add(1, Ordering::Relaxed) + 1;
        (key, Arc::new(Outbox::new(self.limits, Arc::clone(&self.flusher), Activity::new(self.start))))
    }
}
