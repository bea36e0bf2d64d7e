//! Which cluster is reconciled next. kube's controller takes any of those that wait for it, so they wait here, in four lines,
//! and it is handed no more of them than can have a turn soon: a thousand new clusters do not keep a deleted Service of another
//! one waiting, and all of them are made before much is told about any.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use futures::{Stream, stream};
use kube::runtime::reflector::ObjectRef;
use tokio::sync::{Notify, Semaphore, SemaphorePermit, watch};

use crate::cache::Key;
use crate::known::Known;
use crate::metrics::Metrics;

/// How many reconciles compare and write at a time. More wait for Redis.
const TURNS: usize = 32;
/// How many may be about to begin, or wait for a turn: each of these is before the next one, however urgent that is.
const AHEAD: usize = 4;
/// So many that wait are many.
const LONG: usize = 16;
/// One of so many is taken from those that can wait, the last two lines in turn, so that these wait long, but not for ever. Who
/// waits long is reconciled once for all that has happened to it.
const SHARE: usize = 8;

/// How soon a cluster is to be reconciled, the soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Its spec has changed, or someone may have changed or deleted a child.
    Now,
    /// Nothing has been said about it yet: it may have to be made.
    New,
    /// What the operator made has come about: it may have to make more.
    Soon,
    /// What it wrote is there, or time has passed: there may be something to tell.
    Later,
}

/// The clusters that wait, and the turns that they wait for.
#[derive(Debug)]
pub struct Queue {
    state: Mutex<State>,
    /// For the one that takes.
    changed: Notify,
    turns: Semaphore,
    calm: watch::Sender<bool>,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct State {
    open: bool,
    waiting: HashMap<Key, Urgency>,
    /// How many of these are new.
    new: usize,
    /// In the order in which they came, by urgency. One that is waiting with another urgency, or no longer, is passed over.
    lines: [VecDeque<Key>; 4],
    /// Handed to the controller, which has not begun yet.
    taken: HashSet<Key>,
    running: HashSet<Key>,
    before_turns: usize,
    /// How often one was taken.
    count: usize,
}

/// A reconcile that has begun.
#[derive(Debug)]
pub struct Running<'a> {
    queue: &'a Queue,
    cluster: Key,
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
            calm: watch::Sender::new(true),
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

    /// The clusters in the order in which they are to be reconciled. To be polled by one.
    pub fn clusters(self: Arc<Self>) -> impl Stream<Item = ObjectRef<Known>> {
        stream::unfold(self, |queue| async {
            loop {
                if let Some((namespace, name)) = queue.take() {
                    break Some((ObjectRef::new(&name).within(&namespace), queue));
                }
                queue.changed.notified().await;
            }
        })
    }

    /// The reconcile of a cluster begins. None, if it was not taken from here (but comes after a pause that it asked for), and
    /// there are new clusters: then it has to get in line.
    pub fn begin(&self, cluster: &Key) -> Option<Running<'_>> {
        let begins = self.change(|state| {
            let begins = state.taken.remove(cluster) || state.new == 0;
            if begins {
                state.running.insert(cluster.clone());
            } else {
                state.push(cluster, Urgency::Later);
            }
            begins
        });
        begins.then(|| Running { queue: self, cluster: cluster.clone() })
    }

    /// A cluster that was taken does not exist any more.
    pub fn gone(&self, cluster: &Key) {
        self.change(|state| state.taken.remove(cluster));
    }

    /// A turn, which lasts as long as what is returned.
    ///
    /// # Panics
    /// Never: nobody closes the semaphore.
    pub async fn turn(&self) -> SemaphorePermit<'_> {
        let _before = BeforeTurn::new(self);
        self.turns.acquire().await.expect("nobody closes it")
    }

    /// True while no cluster waits or is reconciled.
    pub fn calm(&self) -> watch::Receiver<bool> {
        self.calm.subscribe()
    }

    /// Whether many clusters wait.
    pub fn is_long(&self) -> bool {
        self.lock().waiting.len() > LONG
    }

    fn take(&self) -> Option<Key> {
        let mut state = self.lock();
        let cluster = state.take();
        self.tell(&state);
        cluster
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
        let waiting = state.waiting.len() + state.taken.len();
        self.metrics.queue_depth(waiting);
        let calm = waiting == 0 && state.running.is_empty();
        self.calm.send_if_modified(|was| std::mem::replace(was, calm) != calm);
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
        self.new += usize::from(urgency == Urgency::New);
        self.new -= usize::from(before == Some(Urgency::New));
        self.waiting.insert(cluster.clone(), urgency);
        self.lines[urgency as usize].push_back(cluster.clone());
    }

    fn has_room(&self) -> bool {
        self.taken.len() + self.before_turns < AHEAD
    }

    fn take(&mut self) -> Option<Key> {
        const SOON: usize = SHARE - 1;
        const LATER: usize = 2 * SHARE - 1;
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
        self.taken.insert(cluster.clone());
        Some(cluster)
    }

    fn take_of(&mut self, urgency: Urgency) -> Option<Key> {
        let Self { waiting, running, new, lines, .. } = self;
        let line = &mut lines[urgency as usize];
        let waits = |cluster: &Key| waiting.get(cluster) == Some(&urgency);
        while line.pop_front_if(|first| !waits(first)).is_some() {}
        let first = line.iter().position(|cluster| waits(cluster) && !running.contains(cluster))?;
        let cluster = line.remove(first)?;
        waiting.remove(&cluster);
        *new -= usize::from(urgency == Urgency::New);
        Some(cluster)
    }
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.queue.change(|state| state.running.remove(&self.cluster));
    }
}

impl<'a> BeforeTurn<'a> {
    fn new(queue: &'a Queue) -> Self {
        queue.change(|state| state.before_turns += 1);
        Self(queue)
    }
}

impl Drop for BeforeTurn<'_> {
    fn drop(&mut self) {
        self.0.change(|state| state.before_turns -= 1);
    }
}

#[cfg(test)]
mod tests;
