//! The backplane over Redis: store, publish and subscribe on one connection, which is made again whenever it breaks.
//!
//! One connection, not two, for then there is one state: subscribed and able to publish, or neither. RESP3 allows
//! commands on a connection with subscriptions; `CLIENT LIST TYPE pubsub` lists it all the same. And what is read of
//! a room's history comes in order with what is heard of it.

mod errands;
mod role;
mod scripts;
mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use self::errands::Errand;
use self::errands::refuse;
use super::channels::{Channels, EventKey, Topic};
use super::link::{Backoff, LinkError, LinkState, RedisSettings};
use super::{Change, Changes, History, Inbound};

/// How long one connection attempt, and one answer, may take.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The most messages that wait for Redis; whoever sends one more waits too.
const MOST_WAITING: usize = 1024;

/// The most commands, or channels of a command, that go to Redis at once.
const BATCH: usize = 256;

/// A connection that held for so long was a good one: the next tries start quickly again.
const GOOD: Duration = Duration::from_secs(10);

/// The rest of the hub talks to the task of [`start`] through this.
#[derive(Debug)]
pub struct Handle {
    errands: mpsc::Sender<Errand>,
    changes: Changes,
    link: watch::Receiver<Result<(), LinkError>>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Whose backplane it is.
#[derive(Debug, Clone)]
pub struct Identity {
    /// The pod.
    pub pod: String,
    /// The process.
    pub instance: String,
    /// The cluster.
    pub key: EventKey,
}

/// Starts the task that keeps the backplane connected.
pub fn start(
    settings: RedisSettings,
    identity: Identity,
    history: History,
    inbound: Inbound,
    changes: (Changes, mpsc::UnboundedReceiver<Change>),
) -> Handle {
    let (errands_in, errands) = mpsc::channel(MOST_WAITING);
    let (changes_in, changes) = changes;
    let state = LinkState::new(&settings, Arc::clone(&inbound.metrics));
    let stop = CancellationToken::new();
    let link = state.watch();
    let keeper = Keeper {
        settings,
        channels: Arc::new(Channels::new(&identity.key)),
        identity,
        history,
        inbound,
        state,
        stop: stop.clone(),
    };
    let task = tokio::spawn(keeper.run(Queues { errands, changes }));
    Handle { errands: errands_in, changes: changes_in, link, stop, task: Mutex::new(Some(task)) }
}

impl Handle {
    /// Waits only while too many are under way.
    pub async fn send(&self, errand: Errand) {
        // It can only fail when the task has ended; then the receipt is dropped, and says so.
        let _ = self.errands.send(errand).await;
    }

    /// See [`super::Backplane::joined`].
    pub async fn joined(&self, topic: Topic) {
        self.changes.done(topic).await;
    }

    /// Whether the hub is subscribed, and if not, why.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn link(&self) -> Result<(), String> {
        self.link.borrow().as_ref().map_err(ToString::to_string).copied()
    }

    /// Says goodbye to the peers and ends the task.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = self.task.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
        }
    }
}

struct Queues {
    errands: mpsc::Receiver<Errand>,
    changes: mpsc::UnboundedReceiver<Change>,
}

impl Queues {
    /// While there is no connection: errands are refused at once, and changes need nothing, for a new connection
    /// starts from what is wanted then.
    async fn refuse(&mut self) -> std::convert::Infallible {
        loop {
            tokio::select! {
                Some(errand) = self.errands.recv() => refuse(errand),
                Some(_) = self.changes.recv() => {}
                else => std::future::pending().await,
            }
        }
    }
}

/// The task.
struct Keeper {
    settings: RedisSettings,
    identity: Identity,
    channels: Arc<Channels>,
    history: History,
    inbound: Inbound,
    state: LinkState,
    stop: CancellationToken,
}

impl Keeper {
    async fn run(mut self, mut queues: Queues) {
        let stop = self.stop.clone();
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let session = tokio::select! {
                session = self.connect() => session,
                never = queues.refuse() => match never {},
                () = stop.cancelled() => return,
            };
            match session {
                Ok(session) => {
                    let since = Instant::now();
                    self.state.up(&self.settings.at(), self.inbound.rooms.count());
                    let Err(reason) = self.serve(session, &mut queues).await else { return };
                    if since.elapsed() >= GOOD {
                        backoff.reset();
                    }
                    self.state.down(reason);
                }
                Err(reason) => self.state.down(reason),
            }
            tokio::select! {
                () = tokio::time::sleep(backoff.wait()) => {}
                never = queues.refuse() => match never {},
                () = stop.cancelled() => return,
            }
        }
    }
}
