//! The task that keeps the backplane connected: what it works with.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::errand::{Errand, refuse};
use crate::backplane::channels::{Channels, EventKey};
use crate::backplane::inbound::Inbound;
use crate::backplane::letter::History;
use crate::backplane::link::{LinkState, RedisSettings};
use crate::topics::Change;

/// How long one connection attempt, and one answer, may take.
pub(super) const TIMEOUT: Duration = Duration::from_secs(5);

/// The most commands, or channels of a command, that go to Redis at once.
pub(super) const BATCH: usize = 256;

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

/// The task.
pub(super) struct Keeper {
    pub(super) settings: RedisSettings,
    pub(super) identity: Identity,
    pub(super) channels: Arc<Channels>,
    pub(super) history: History,
    pub(super) inbound: Inbound,
    pub(super) state: LinkState,
    pub(super) stop: CancellationToken,
}

pub(super) struct Queues {
    pub(super) errands: mpsc::Receiver<Errand>,
    pub(super) changes: mpsc::UnboundedReceiver<Change>,
}

impl Queues {
    /// While there is no connection: errands are refused at once, and changes need nothing, for a new connection
    /// starts from what is wanted then.
    pub(super) async fn refuse(&mut self) -> std::convert::Infallible {
        loop {
            tokio::select! {
                Some(errand) = self.errands.recv() => refuse(errand),
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
