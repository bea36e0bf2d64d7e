//! Writes what has gathered for many connections, one after another, from a few tasks.
//!
//! A broadcast makes hundreds of queues non-empty at once. To wake a task for each costs more than the write itself; here one
//! task per core is woken once, and while it writes to the first, more gathers for the last: the busier, the fewer system calls.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use crate::sync::lock;

/// After so many writes the other tasks of the thread have their turn.
const TURN: usize = 64;

/// A queue that can be written.
pub trait Flush: Send + Sync + 'static {
    /// Writes what has gathered.
    fn flush(&self);
}

/// See the module.
#[derive(Debug)]
pub struct Flusher<Q> {
    shards: Vec<Arc<Shard<Q>>>,
}

#[derive(Debug)]
struct Shard<Q> {
    waiting: Mutex<Vec<Arc<Q>>>,
    notify: Notify,
}

impl<Q> Default for Shard<Q> {
    fn default() -> Self {
        Self { waiting: Mutex::default(), notify: Notify::new() }
    }
}

impl<Q: Flush> Flusher<Q> {
    /// One that writes nothing.
    #[cfg(test)]
    pub(crate) fn idle() -> Arc<Self> {
        Arc::new(Self { shards: vec![Arc::default()] })
    }

    /// A flusher of one task per core, which run as long as the runtime does. Needs a Tokio runtime.
    pub fn start() -> Arc<Self> {
        let cores = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let shards: Vec<Arc<Shard<Q>>> = (0..cores).map(|_| Arc::default()).collect();
        for shard in &shards {
            tokio::spawn(run(Arc::clone(shard)));
        }
        Arc::new(Self { shards })
    }

    /// Has a queue written soon.
    pub(crate) fn add(&self, queue: &Arc<Q>) {
        // Neighbours in memory were made at about the same time, and are often in the same room.
        let shard = &self.shards[(Arc::as_ptr(queue) as usize >> 6) % self.shards.len()];
        let mut waiting = lock(&shard.waiting);
        let was_empty = waiting.is_empty();
        waiting.push(Arc::clone(queue));
        drop(waiting);
        if was_empty {
            shard.notify.notify_one();
        }
    }
}

async fn run<Q: Flush>(shard: Arc<Shard<Q>>) {
    let mut batch = Vec::new();
    loop {
        shard.notify.notified().await;
        std::mem::swap(&mut batch, &mut *lock(&shard.waiting));
        for (index, queue) in batch.drain(..).enumerate() {
            queue.flush();
            if index % TURN == TURN - 1 {
                tokio::task::yield_now().await;
            }
        }
    }
}
