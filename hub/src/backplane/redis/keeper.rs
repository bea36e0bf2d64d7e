//! The task that keeps the backplane connected: what it works with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::command::{Command, refuse};
use crate::backplane::channels::{Channels, EventKey};
use crate::backplane::dispatcher::Dispatcher;
use crate::backplane::link::{LinkState, RedisSettings};
use crate::backplane::store::HistorySettings;
use crate::topics::SubscriptionChange;

/// How long one connection attempt, and one answer, may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The most commands, or channels of a command, that go to Redis at once.
pub(super) const BATCH: usize = 256;

/// The hub, as the backplane names it.
#[derive(Debug, Clone)]
pub struct HubIdentity {
    /// The pod.
    pub pod: String,
    /// The process.
    pub instance: String,
    /// The cluster.
    pub event_key: EventKey,
}

/// The task that keeps the connection to Redis up.
pub(super) struct ConnectionKeeper {
    pub(super) settings: RedisSettings,
    pub(super) identity: HubIdentity,
    pub(super) channels: Arc<Channels>,
    pub(super) history: HistorySettings,
    pub(super) dispatcher: Dispatcher,
    pub(super) state: LinkState,
    pub(super) stop: CancellationToken,
}

pub(super) struct Queues {
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) changes: mpsc::UnboundedReceiver<SubscriptionChange>,
}

impl Queues {
    /// While there is no connection: commands are refused at once, and changes need nothing, for a new connection
    /// starts from what is wanted then.
    pub(super) async fn refuse(&mut self) -> std::convert::Infallible {
        loop {
            tokio::select! {
                Some(command) = self.commands.recv() => refuse(command),
                Some(_) = self.changes.recv() => {}
                else => std::future::pending().await,
            }
        }
    }
}

/// A duration as Redis takes it.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
