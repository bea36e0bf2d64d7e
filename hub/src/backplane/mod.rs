//! How messages reach the members that other pods serve.
//!
//! A message takes one way, also to members of the same pod: published, heard, delivered. So everyone hears a room
//! in the same order, and what is not published is heard by no one.

pub mod channels;
pub mod link;
pub mod memory;
pub mod redis;

use std::sync::Arc;
use std::time::Instant;

use self::channels::{Channel, Channels};
use crate::canary::{self, Canary};
use crate::metrics::Metrics;
use crate::protocol::methods::Heard;
use crate::protocol::room::RoomName;
use crate::rooms::Rooms;

/// The way of the messages.
#[derive(Debug)]
pub enum Backplane {
    /// This process alone.
    Memory(memory::Memory),
    /// All hubs of one Redis and one event key.
    Redis(redis::Handle),
}

impl Backplane {
    /// `memory` or `redis`.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Memory(_) => "memory",
            Self::Redis(_) => "redis",
        }
    }

    /// Sends a message (JSON) to everyone in a room. The receipt says how that went, later; waits only while too many
    /// messages are on their way.
    pub async fn publish(&self, room: &RoomName, message: String, receipt: Receipt) {
        match self {
            Self::Memory(memory) => memory.publish(room, &message, receipt),
            Self::Redis(redis) => redis.publish(room, message, receipt).await,
        }
    }

    /// Waits until a room that was joined is heard. While the backplane is down there is nothing to wait for: the
    /// room will be subscribed with all others.
    pub async fn joined(&self, room: &RoomName) {
        if let Self::Redis(redis) = self {
            redis.joined(room).await;
        }
    }

    /// The last member here has left a room.
    pub fn emptied(&self, room: &RoomName) {
        if let Self::Redis(redis) = self {
            redis.emptied(room);
        }
    }

    /// Whether messages get through.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn ready(&self, canary: &Canary) -> Result<(), String> {
        let Self::Redis(redis) = self else { return Ok(()) };
        redis.link()?;
        match canary.own_age(Instant::now()) {
            Some(age) if age < canary::STALE => Ok(()),
            Some(age) => Err(format!(
                "subscribed on Redis, but this pod last heard its own canary {} s ago",
                age.as_secs()
            )),
            None => Err("subscribed on Redis, but this pod has not heard its own canary yet".into()),
        }
    }

    /// Says goodbye to the peers.
    pub async fn close(&self) {
        if let Self::Redis(redis) = self {
            redis.close().await;
        }
    }
}

/// Why a message was not published, for its sender.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no backplane now.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The connection broke before the answer; it may or may not have been heard.
    #[error("the backplane was lost before it confirmed")]
    Unconfirmed,
    /// The backplane answered with an error.
    #[error("the backplane refused it")]
    Refused,
    /// The backplane took it, but no hub was subscribed.
    #[error("no hub heard it")]
    Unheard,
}

type Report = Box<dyn FnOnce(Result<(), PublishError>) + Send>;

/// Tells the sender of a message how it went, exactly once: dropped, it says [`PublishError::Unconfirmed`].
pub struct Receipt(Option<Report>);

impl Receipt {
    /// A receipt that calls `report`.
    pub fn new(report: impl FnOnce(Result<(), PublishError>) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }

    /// Says how it went.
    pub fn report(mut self, outcome: Result<(), PublishError>) {
        if let Some(report) = self.0.take() {
            report(outcome);
        }
    }
}

impl Drop for Receipt {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            report(Err(PublishError::Unconfirmed));
        }
    }
}

impl std::fmt::Debug for Receipt {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receipt")
    }
}

/// What the backplane hears goes here.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The members of this pod.
    pub rooms: Arc<Rooms>,
    /// The beats of all pods.
    pub canary: Arc<Canary>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Inbound {
    /// Passes on what came on a channel.
    pub fn hear(&self, channels: &Channels, channel: &[u8], payload: Vec<u8>) {
        let understood = match channels.read(channel) {
            Some(Channel::Room(room)) => self.hear_message(room, &payload),
            Some(Channel::Canary) => self.canary.hear(&payload, Instant::now()),
            None => false,
        };
        if !understood {
            self.metrics.not_understood.add(1);
        }
    }

    /// The payload is the message as its pod wrote it; each encoding that a member here wants is made of it once.
    fn hear_message(&self, room: &str, payload: &[u8]) -> bool {
        let Ok(message) = serde_json::from_slice::<&serde_json::value::RawValue>(payload) else {
            return false;
        };
        self.metrics.heard.add(1);
        self.rooms.deliver(room, &Heard(message.get()), &self.metrics);
        true
    }
}
