//! The task that keeps the backplane connected, and the way to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::errand::Errand;
use super::keeper::{Identity, Keeper, Queues};
use crate::backplane::channels::Channels;
use crate::backplane::inbound::Inbound;
use crate::backplane::letter::History;
use crate::backplane::link::{Backoff, LinkError, LinkState, RedisSettings};
use crate::sync::lock;
use crate::topics::{Change, Changes, Topic};

/// The most messages that wait for Redis; whoever sends one more waits too.
const MOST_WAITING: usize = 1024;

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

    /// See `Backplane::joined`.
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
        let task = lock(&self.task).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
        }
    }
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
