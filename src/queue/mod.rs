//! The work queue: which cluster is reconciled next, and when.
//!
//! It replaces the scheduler of kube's controller, which hands out waiting clusters in any order, each 1 to 3
//! ms late. Here clusters wait in four lines, one for each urgency, and only as many are taken as get a turn
//! soon. A thousand new clusters therefore do not delay the repair of another cluster's Service, and all of
//! them are created before much is reported about any. See docs/decisions/0001-own-work-queue.md.

mod urgency;

use std::collections::{BTreeSet, HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures::{Stream, stream};
use tokio::sync::{Notify, Semaphore, SemaphorePermit};
use tokio::time::{Instant, sleep_until};

use crate::key::Key;
use crate::metrics::Metrics;

pub(crate) use urgency::Urgency;

/// The number of reconciles that compare and write at a time. More are in hand while they wait for Redis.
const TURNS: usize = 32;
/// The most clusters that are about to begin, or wait for a turn. Each of them goes before a cluster that is
/// taken later, however urgent that one is.
const AHEAD: usize = 4;
/// Queue length above which the operator counts as busy.
const LONG: usize = 16;
/// Every `SHARE`th cluster is taken from the lines of `Soon` and `Later`, in turn, so that clusters wait
/// there long but not for ever. One reconcile then serves everything that has happened to the cluster
/// meanwhile.
const SHARE: usize = 8;

/// The clusters that wait for a reconcile, and the turns of the reconciles in hand.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// Wakes the task that takes clusters.
    changed: Notify,
    turns: Semaphore,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: HashMap<Key, Urgency>,
    /// The waiting clusters by urgency, in the order of their arrival. An entry whose cluster now waits with
    /// another urgency, or not at all, is skipped.
    lines: [VecDeque<Key>; 4],
    running: HashSet<Key>,
    /// The number of running clusters that are about to begin, or wait for a turn.
    ahead: usize,
    /// The number of clusters taken so far.
    count: usize,
    timers: Timers,
}

/// The times at which clusters are queued again, if nothing happens to them before.
#[derive(Debug, Default)]
struct Timers {
    of: HashMap<Arc<Key>, Instant>,
    in_order: BTreeSet<(Instant, Arc<Key>)>,
}

/// A cluster that was taken. It is not taken again while this value lives.
#[derive(Debug)]
pub struct Running {
    queue: Arc<Queue>,
    cluster: Key,
    has_begun: bool,
}

/// Counts a reconcile that waits for a turn, while it lives.
struct BeforeTurn<'a>(&'a Queue);

impl Queue {
    /// Returns a closed queue: it ignores clusters until [`Queue::open`].
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Notify::new(),
            turns: Semaphore::new(TURNS),
            metrics,
        })
    }

    /// Opens the queue. From now on, clusters are reconciled.
    pub fn open(&self) {
        self.change(|state| state.open = true);
    }

    /// Queues a cluster. A cluster that waits already keeps its place once, with the greater urgency.
    pub fn push(&self, cluster: &Key, urgency: Urgency) {
        self.change(|state| state.push(cluster, urgency));
    }

    /// Queues a cluster after `wait`, unless it is pushed before. A cluster has one such time: a new one
    /// replaces it.
    pub fn push_after(&self, cluster: &Key, wait: Duration) {
        let mut state = self.lock();
        if state.timers.set(cluster, Instant::now() + wait) {
            self.changed.notify_one();
        }
    }

    /// Returns the clusters in the order in which they are to be reconciled. Only one task may poll this
    /// stream.
    pub fn clusters(self: Arc<Self>) -> impl Stream<Item = Running> {
        stream::unfold(self, |queue| async {
            loop {
                if let Some(running) = queue.take() {
                    break Some((running, queue));
                }
                let next = queue.lock().timers.next();
                let time = async {
                    match next {
                        Some(next) => sleep_until(next).await,
                        None => std::future::pending().await,
                    }
                };
                tokio::select! {
                    () = queue.changed.notified() => {}
                    () = time => {}
                }
            }
        })
    }

    /// Waits for a turn to compare and write. The turn ends when the permit is dropped.
    ///
    /// # Panics
    /// Never: nobody closes the semaphore.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        let _before = BeforeTurn::new(self);
        self.turns.acquire().await.expect("nobody closes it")
    }

    /// True while many clusters wait.
    pub fn is_long(&self) -> bool {
        self.lock().waiting.len() > LONG
    }

    fn take(self: &Arc<Self>) -> Option<Running> {
        let mut state = self.lock();
        let cluster = state.take(Instant::now());
        self.report(&state);
        cluster.map(|cluster| Running { queue: self.clone(), cluster, has_begun: false })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.report(&state);
        if state.has_room() && !state.waiting.is_empty() {
            self.changed.notify_one();
        }
        result
    }

    fn report(&self, state: &State) {
        self.metrics.queue_depth(state.waiting.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // A panic cannot leave the state half changed: no change panics midway.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn push(&mut self, cluster: &Key, urgency: Urgency) {
        let before = self.waiting.get(cluster).copied();
        if !self.open || before.is_some_and(|before| before <= urgency) {
            return;
        }
        self.waiting.insert(cluster.clone(), urgency);
        self.lines[urgency as usize].push_back(cluster.clone());
    }

    fn has_room(&self) -> bool {
        self.ahead < AHEAD
    }

    fn take(&mut self, now: Instant) -> Option<Key> {
        const SOON: usize = SHARE - 1;
        const LATER: usize = 2 * SHARE - 1;
        while let Some(cluster) = self.timers.pop(now) {
            self.push(&cluster, Urgency::Later);
        }
        if !self.has_room() {
            return None;
        }
        let order = match self.count % (2 * SHARE) {
            SOON => [Urgency::Soon, Urgency::Later, Urgency::Now, Urgency::New],
            LATER => [Urgency::Later, Urgency::Soon, Urgency::Now, Urgency::New],
            _ => [Urgency::Now, Urgency::New, Urgency::Soon, Urgency::Later],
        };
        let cluster = order.into_iter().find_map(|urgency| self.take_of(urgency))?;
        self.count = self.count.wrapping_add(1);
        self.timers.stop(&cluster);
        self.running.insert(cluster.clone());
        self.ahead += 1;
        Some(cluster)
    }

    fn take_of(&mut self, urgency: Urgency) -> Option<Key> {
        let Self { waiting, running, lines, .. } = self;
        let line = &mut lines[urgency as usize];
        let waits = |cluster: &Key| waiting.get(cluster) == Some(&urgency);
        while line.pop_front_if(|first| !waits(first)).is_some() {}
        let first = line.iter().position(|cluster| waits(cluster) && !running.contains(cluster))?;
        let cluster = line.remove(first)?;
        waiting.remove(&cluster);
        Some(cluster)
    }
}

impl Timers {
    /// Sets the time of a cluster. Returns true if it is now the earliest of all.
    fn set(&mut self, cluster: &Key, at: Instant) -> bool {
        self.stop(cluster);
        let cluster = Arc::new(cluster.clone());
        self.of.insert(cluster.clone(), at);
        self.in_order.insert((at, cluster));
        self.next() == Some(at)
    }

    fn stop(&mut self, cluster: &Key) {
        if let Some((cluster, at)) = self.of.remove_entry(cluster) {
            self.in_order.remove(&(at, cluster));
        }
    }

    fn next(&self) -> Option<Instant> {
        self.in_order.first().map(|(at, _)| *at)
    }

    /// Removes and returns a cluster whose time has come.
    fn pop(&mut self, now: Instant) -> Option<Arc<Key>> {
        if self.next()? > now {
            return None;
        }
        let (_, cluster) = self.in_order.pop_first()?;
        self.of.remove(&cluster);
        Some(cluster)
    }
}

impl Running {
    /// Returns the cluster's namespace and name.
    pub fn cluster(&self) -> &Key {
        &self.cluster
    }

    /// Marks the reconcile as begun. Until then the cluster counts as waiting for a turn.
    pub fn begin(&mut self) {
        if !std::mem::replace(&mut self.has_begun, true) {
            self.queue.change(|state| state.ahead -= 1);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.begin();
        self.queue.change(|state| state.running.remove(&self.cluster));
    }
}

impl<'a> BeforeTurn<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.change(|state| state.ahead += 1);
        Self(queue)
    }
}

impl Drop for BeforeTurn<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.ahead -= 1);
    }
}

#[cfg(test)]
mod tests;
