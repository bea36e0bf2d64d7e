//! Writes what has gathered for many connections, one after another, from a few tasks.
//!
//! A broadcast makes hundreds of queues non-empty at once. To wake a task for each costs more than the write itself; here one
//! task per core is woken once, and while it writes to the first, more gathers for the last: the busier, the fewer system calls.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::Notify;

use crate::outbox::Outbox;

/// After so many writes the other tasks of the thread have their turn.
const TURN: usize = 64;

/// See the module.
#[derive(Debug)]
pub struct Flusher {
    shards: Vec<Arc<Shard>>,
}

#[derive(Debug, Default)]
struct Shard {
    waiting: Mutex<Waiting>,
    notify: Notify,
}

#[derive(Debug, Default)]
struct Waiting {
    outboxes: Vec<Arc<Outbox>>,
    /// When the first of them came.
    since: Option<Instant>,
}

impl Shard {
    /// Gives the queues that wait for `batch`, which has to be empty, and when the first of them came.
    fn swap(&self, batch: &mut Vec<Arc<Outbox>>) -> Option<Instant> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::swap(batch, &mut waiting.outboxes);
        waiting.since.take()
    }
}

impl Flusher {
    /// One that writes nothing.
    #[cfg(test)]
    pub(crate) fn idle() -> Arc<Self> {
        Arc::new(Self { shards: vec![Arc::default()] })
    }

    /// Starts a flusher of one task per core, which run as long as the runtime does. Needs a Tokio runtime. Each batch observes in
    /// `seconds` how long its first queue had waited once all of them were written.
    pub fn start(seconds: &Histogram) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards: Vec<Arc<Shard>> = (0..cores).map(|_| Arc::default()).collect();
        for shard in &shards {
            tokio::spawn(run(Arc::clone(shard), seconds.clone()));
        }
        Arc::new(Self { shards })
    }

    /// Has a queue written soon.
    pub(crate) fn add(&self, outbox: &Arc<Outbox>) {
        // Neighbours in memory were made at about the same time, and are often in the same room.
        let shard = &self.shards[(Arc::as_ptr(outbox) as usize >> 6) % self.shards.len()];
        let mut waiting = shard.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let was_empty = waiting.outboxes.is_empty();
        waiting.outboxes.push(Arc::clone(outbox));
        if was_empty {
            waiting.since = Some(Instant::now());
        }
        drop(waiting);
        if was_empty {
            shard.notify.notify_one();
        }
    }
}

async fn run(shard: Arc<Shard>, seconds: Histogram) {
    let mut batch = Vec::new();
    loop {
        shard.notify.notified().await;
        let since = shard.swap(&mut batch);
        for (index, outbox) in batch.drain(..).enumerate() {
            outbox.flush();
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(since) = since {
            seconds.observe(since.elapsed().as_secs_f64());
        }
    }
}
