//! Writes the queues of many connections, one after another, from a few tasks.
//!
//! A broadcast puts records into hundreds of queues at once. To wake a task for each costs more than the
//! write itself. Here one task per core is woken once, and while it writes the first queue, more records
//! gather in the last one: the higher the load, the fewer system calls per record.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::Notify;

use crate::sync::lock;

/// The number of writes after which the other tasks of the thread have their turn.
const TURN: usize = 64;

/// A queue that can be written.
pub trait Flush: Send + Sync + 'static {
    /// Writes all records that have gathered.
    fn flush(&self);
}

/// Writes queues soon after they are added.
#[derive(Debug)]
pub struct Flusher<Q> {
    shards: Vec<Arc<Shard<Q>>>,
}

#[derive(Debug)]
struct Shard<Q> {
    waiting: Mutex<Waiting<Q>>,
    notify: Notify,
}

#[derive(Debug)]
struct Waiting<Q> {
    queues: Vec<Arc<Q>>,
    /// The time when the first of the queues was added.
    since: Option<Instant>,
}

impl<Q> Default for Shard<Q> {
    fn default() -> Self {
        let waiting = Waiting { queues: Vec::new(), since: None };
        Self { waiting: Mutex::new(waiting), notify: Notify::new() }
    }
}

impl<Q> Shard<Q> {
    /// Exchanges the queues that wait for the empty vector `batch`. Returns the time when the first of them
    /// was added.
    fn swap(&self, batch: &mut Vec<Arc<Q>>) -> Option<Instant> {
        let mut waiting = lock(&self.waiting);
        std::mem::swap(batch, &mut waiting.queues);
        waiting.since.take()
    }
}

impl<Q: Flush> Flusher<Q> {
    /// A flusher that writes nothing.
    #[cfg(test)]
    pub(crate) fn idle() -> Arc<Self> {
        Arc::new(Self { shards: vec![Arc::default()] })
    }

    /// Starts a flusher of one task per core, which run as long as the runtime does. Needs a Tokio runtime.
    /// For each batch, `seconds` observes the time from when its first queue was added until all its queues
    /// are written.
    pub fn start(seconds: &Histogram) -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards: Vec<Arc<Shard<Q>>> = (0..cores).map(|_| Arc::default()).collect();
        for shard in &shards {
            tokio::spawn(run(Arc::clone(shard), seconds.clone()));
        }
        Arc::new(Self { shards })
    }

    /// Schedules a queue to be written soon.
    pub(crate) fn add(&self, queue: &Arc<Q>) {
        // Queues that are neighbours in memory were created at about the same time, and often belong to one
        // room.
        let shard = &self.shards[(Arc::as_ptr(queue) as usize >> 6) % self.shards.len()];
        let mut waiting = lock(&shard.waiting);
        let was_empty = waiting.queues.is_empty();
        waiting.queues.push(Arc::clone(queue));
        if was_empty {
            waiting.since = Some(Instant::now());
        }
        drop(waiting);
        if was_empty {
            shard.notify.notify_one();
        }
    }
}

async fn run<Q: Flush>(shard: Arc<Shard<Q>>, seconds: Histogram) {
    let mut batch = Vec::new();
    loop {
        shard.notify.notified().await;
        let since = shard.swap(&mut batch);
        for (index, queue) in batch.drain(..).enumerate() {
            queue.flush();
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
        if let Some(since) = since {
            seconds.observe(since.elapsed().as_secs_f64());
        }
    }
}
