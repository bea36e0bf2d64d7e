//! Which cluster is reconciled next, and when. In the place of kube's controller, which takes any of those that wait, and each 1 to
//! 3 ms after it could. Here they wait in four lines, and no more of them are taken than can have a turn soon: a thousand new
//! clusters do not keep a deleted Service of another one waiting, and all of them are made before much is told about any.

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

/// How many reconciles compare and write at a time. More wait for Redis.
const TURNS: usize = 32;
/// How many may be about to begin, or wait for a turn: each of these is before the next one, however urgent that is.
const AHEAD: usize = 4;
/// Queue length above which the operator counts as busy.
const LONG: usize = 16;
/// One of so many is taken from those that can wait, the last two lines in turn, so that these wait long, but not for ever. Who
/// waits long is reconciled once for all that has happened to it.
const SHARE: usize = 8;

/// The clusters that wait, and the turns that they wait for.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// For the one that takes.
    changed: Notify,
    turns: Semaphore,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: HashMap<Key, Urgency>,
    /// In the order in which they came, by urgency. One that is waiting with another urgency, or no longer, is passed over.
    lines: [VecDeque<Key>; 4],
    running: HashSet<Key>,
    /// How many of these are about to begin, or wait for a turn.
    ahead: usize,
    /// How often one was taken.
    count: usize,
    timers: Timers,
}

/// When clusters wait again, if nothing happens to them before.
#[derive(Debug, Default)]
struct Timers {
    of: HashMap<Arc<Key>, Instant>,
    in_order: BTreeSet<(Instant, Arc<Key>)>,
}

/// A cluster that was taken. While this is, it is not taken again.
#[derive(Debug)]
pub struct Running {
    queue: Arc<Queue>,
    cluster: Key,
    has_begun: bool,
}

/// Counts one that waits for a turn.
struct BeforeTurn<'a>(&'a Queue);

impl Queue {
    /// Takes nothing in before [`Queue::open`].
    pub fn new(metrics: Arc<Metrics>) -> Arc<Self> {
        Arc::new(Self {
            state: Mutex::default(),
            changed: Notify::new(),
            turns: Semaphore::new(TURNS),
            metrics,
        })
    }

    /// From now on, clusters are reconciled.
    pub fn open(&self) {
        self.change(|state| state.open = true);
    }

    /// Has the cluster reconciled. One that waits already waits once, with the greater urgency.
    pub fn push(&self, cluster: &Key, urgency: Urgency) {
        self.change(|state| state.push(cluster, urgency));
    }

    /// Has the cluster reconciled once that time has passed, or before, if it is pushed. Once: it takes the place of any time before.
    pub fn push_after(&self, cluster: &Key, wait: Duration) {
        let mut state = self.lock();
        if state.timers.set(cluster, Instant::now() + wait) {
            self.changed.notify_one();
        }
    }

    /// The clusters in the order in which they are to be reconciled. To be polled by one.
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

    /// A turn, which lasts as long as what is returned.
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
        self.tell(&state);
        cluster.map(|cluster| Running { queue: self.clone(), cluster, has_begun: false })
    }

    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.lock();
        let result = change(&mut state);
        self.tell(&state);
        if state.has_room() && !state.waiting.is_empty() {
            self.changed.notify_one();
        }
        result
    }

    fn tell(&self, state: &State) {
        self.metrics.queue_depth(state.waiting.len());
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // What is behind this lock is whole between any two changes.
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
    /// Returns whether it is the next one.
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

    /// One whose time has come.
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
    /// Its namespace and name.
    pub fn cluster(&self) -> &Key {
        &self.cluster
    }

    /// Its reconcile begins: until then it counts as one that waits for a turn.
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
