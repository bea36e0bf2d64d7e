//! The task that keeps the backplane connected, and the way to it.

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

/// The most messages that wait for Redis; whoever sends one more waits too.
const MOST_WAITING: usize = 1024;

/// A connection that held for so long was a good one: the next tries start quickly again.
const GOOD: Duration = Duration::from_secs(10);

/// The rest of the hub talks to the task of [`start`] through this.
#[derive(Debug)]
pub struct Handle {
    commands: mpsc::Sender<Command>,
    changes: SubscriptionChanges,
    link: watch::Receiver<Result<(), LinkError>>,
    stop: CancellationToken,
    task: Mutex<Option<JoinHandle<()>>>,
}

/// Starts the task that keeps the backplane connected.
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
    /// Waits only while too many are under way.
    pub async fn send(&self, command: Command) {
        // It can only fail when the task has ended; then the receipt is dropped, and says so.
        let _ = self.commands.send(command).await;
    }

    /// See `Backplane::ensure_subscribed`.
    pub async fn ensure_subscribed(&self, topic: Topic) {
        self.changes.reevaluated(topic).await;
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
