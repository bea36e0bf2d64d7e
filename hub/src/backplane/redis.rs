//! The backplane over Redis: publish and subscribe on one connection, which is made again whenever it breaks.
//!
//! One connection, not two, for then there is one state: subscribed and able to publish, or neither. RESP3 allows
//! commands on a connection with subscriptions; `CLIENT LIST TYPE pubsub` lists it all the same.

mod session;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::channels::{Channels, EventKey};
use super::link::{Backoff, LinkError, LinkState, RedisSettings};
use super::{Inbound, PublishError, Receipt};
use crate::protocol::room::RoomName;

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
    publications: mpsc::Sender<Publication>,
    changes: mpsc::UnboundedSender<Change>,
    link: watch::Receiver<Result<(), LinkError>>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

#[derive(Debug)]
struct Publication {
    room: RoomName,
    message: String,
    receipt: Receipt,
}

/// A room got its first member here, or lost its last one: which of the two is asked when it is acted upon, so that
/// the order of these does not matter.
#[derive(Debug)]
struct Change {
    room: RoomName,
    /// Dropped when the change is done.
    _done: Option<oneshot::Sender<()>>,
}

/// Starts the task that keeps the backplane connected.
pub fn start(settings: RedisSettings, pod: &str, key: &EventKey, inbound: Inbound) -> Handle {
    let (publications_in, publications) = mpsc::channel(MOST_WAITING);
    let (changes_in, changes) = mpsc::unbounded_channel();
    let state = LinkState::new(&settings, Arc::clone(&inbound.metrics));
    let stop = CancellationToken::new();
    let link = state.watch();
    let keeper = Keeper {
        settings,
        pod: pod.to_owned(),
        channels: Arc::new(Channels::new(key)),
        inbound,
        state,
        stop: stop.clone(),
    };
    let task = tokio::spawn(keeper.run(Queues { publications, changes }));
    Handle { publications: publications_in, changes: changes_in, link, stop, task: Mutex::new(Some(task)) }
}

impl Handle {
    /// See [`super::Backplane::publish`].
    pub async fn publish(&self, room: &RoomName, message: String, receipt: Receipt) {
        // A send can only fail when the task has ended; then the receipt is dropped, and says so.
        let _ = self.publications.send(Publication { room: room.clone(), message, receipt }).await;
    }

    /// See [`super::Backplane::joined`].
    pub async fn joined(&self, room: &RoomName) {
        let (done, is_done) = oneshot::channel();
        if self.changes.send(Change { room: room.clone(), _done: Some(done) }).is_ok() {
            let _ = is_done.await;
        }
    }

    /// See [`super::Backplane::emptied`].
    pub fn emptied(&self, room: &RoomName) {
        let _ = self.changes.send(Change { room: room.clone(), _done: None });
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
    publications: mpsc::Receiver<Publication>,
    changes: mpsc::UnboundedReceiver<Change>,
}

impl Queues {
    /// While there is no connection: messages are refused at once, and changes of rooms need nothing, for a new
    /// connection starts from the rooms as they are then.
    async fn refuse(&mut self) -> std::convert::Infallible {
        loop {
            tokio::select! {
                Some(publication) = self.publications.recv() =>
                    publication.receipt.report(Err(PublishError::NotConnected)),
                Some(_) = self.changes.recv() => {}
                else => std::future::pending().await,
            }
        }
    }
}

/// The task.
struct Keeper {
    settings: RedisSettings,
    pod: String,
    channels: Arc<Channels>,
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
                    self.state.up(&self.settings.at(), session.subscribed.len());
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
