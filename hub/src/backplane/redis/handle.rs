//! The task that keeps the hub connected to Redis, and the handle to it.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::command::Command;
use super::keeper::{ConnectionKeeper, HubIdentity, Queues};
use crate::backplane::channels::Channels;
use crate::backplane::dispatcher::Dispatcher;
use crate::backplane::link::{Backoff, LinkError, LinkState, RedisSettings};
use crate::backplane::store::HistorySettings;
use crate::sync::lock;
use crate::topics::{SubscriptionChange, SubscriptionChanges, Topic};

/// The most commands that wait for Redis; the sender of one more has to wait.
const MOST_WAITING: usize = 1024;

/// The age from which on a connection counts as stable: when it breaks, the attempts begin again with the
/// shortest time.
const STABLE: Duration = Duration::from_secs(10);

/// The handle by which the rest of the hub uses the task of [`start`].
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    changes: SubscriptionChanges,
    link: watch::Receiver<Result<(), LinkError>>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Starts the task that keeps the hub connected to Redis.
pub fn start(
    settings: RedisSettings,
    identity: HubIdentity,
    history: HistorySettings,
    dispatcher: Dispatcher,
    changes: (SubscriptionChanges, mpsc::UnboundedReceiver<SubscriptionChange>),
) -> Handle {
    let (commands_in, commands) = mpsc::channel(MOST_WAITING);
    let (changes_in, changes) = changes;
    let state = LinkState::new(&settings, Arc::clone(&dispatcher.metrics));
    let stop = CancellationToken::new();
    let link = state.watch();
    let keeper = ConnectionKeeper {
        settings,
        channels: Arc::new(Channels::new(&identity.event_key)),
        identity,
        history,
        dispatcher,
        state,
        stop: stop.clone(),
    };
    let task = tokio::spawn(keeper.run(Queues { commands, changes }));
    Handle { commands: commands_in, changes: changes_in, link, stop, task: Mutex::new(Some(task)) }
}

impl Handle {
    /// Sends a command. This waits only while too many commands are under way.
    pub async fn send(&self, command: Command) {
        // This fails only if the task has ended; then the receipt is dropped, and reports the failure.
        let _ = self.commands.send(command).await;
    }

    /// Subscribes to a topic, see
    /// [`Backplane::ensure_subscribed`](crate::backplane::Backplane::ensure_subscribed).
    pub async fn ensure_subscribed(&self, topic: Topic) {
        self.changes.reevaluated(topic).await;
    }

    /// Checks that the hub is subscribed on Redis.
    ///
    /// # Errors
    /// The reason why not, in one line.
    pub fn link(&self) -> Result<(), String> {
        self.link.borrow().as_ref().map_err(ToString::to_string).copied()
    }

    /// Tells the peers that this hub is shutting down, and ends the task, within a second.
    pub async fn close(&self) {
        self.stop.cancel();
        let task = lock(&self.task).take();
        if let Some(task) = task {
            let _ = tokio::time::timeout(Duration::from_secs(1), task).await;
        }
    }
}

impl ConnectionKeeper {
    async fn run(mut self, mut queues: Queues) {
        let stop = self.stop.clone();
        let mut backoff = Backoff::default();
        while !stop.is_cancelled() {
            let connected = tokio::select! {
                connected = self.connect() => connected,
                never = queues.refuse() => match never {},
                () = stop.cancelled() => return,
            };
            match connected {
                Ok(subscribed) => {
                    let since = Instant::now();
                    self.state.up(&self.settings.at(), self.dispatcher.rooms.count());
                    let Err(reason) = self.serve(subscribed, &mut queues).await else { return };
                    if since.elapsed() >= STABLE {
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
