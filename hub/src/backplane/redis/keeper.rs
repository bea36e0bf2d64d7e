//! The data of the task that keeps the hub connected to Redis.

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

/// The longest time of one connection attempt, and of one answer.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The most commands, or channels in one command, that are sent to Redis at once.
pub(super) const BATCH: usize = 256;

/// The names of this hub on the backplane.
#[derive(Debug, Clone)]
pub struct HubIdentity {
    /// The pod.
    pub pod: String,
    /// The instance: one process of the hub.
    pub instance: String,
    /// The key of the cluster.
    pub event_key: EventKey,
}

/// The task that keeps the hub connected to Redis.
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
    /// Handles the queues while there is no connection. Commands are refused at once. Changes are dropped,
    /// because a new connection begins with all topics that have subscribers then.
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

/// A duration in milliseconds, as Redis expects it.
pub(super) fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
