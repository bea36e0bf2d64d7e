//! How messages reach the members that other pods serve.
//!
//! A message takes one way, also to members of the same pod: stored, published, heard, delivered. So everyone hears a
//! room in the same order, and what is not stored is heard by no one.

pub mod channels;
mod dispatcher;
pub mod link;
pub mod memory;
mod receipt;
pub mod redis;
mod store;

use std::time::Instant;

use tokio::sync::oneshot;

pub use self::dispatcher::Dispatcher;
pub use self::receipt::Receipt;
pub use self::store::{HistorySettings, NONCE_LIFETIME, StoreAck, StoreRequest};
use crate::peers::{self, Peers};
use crate::protocol::methods::PublishError;
use crate::topics::Topic;

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

    /// Stores a message, and sends it to everyone in its room. The receipt says how that went, later; waits only
    /// while too many messages are on their way.
    pub async fn store(&self, request: StoreRequest, receipt: Receipt<StoreAck>) {
        match self {
            Self::Memory(memory) => memory.store(&request, receipt),
            Self::Redis(redis) => redis.send(redis::Command::Store { request, receipt }).await,
        }
    }

    /// Sends something to all who hear a topic, and stores nothing. The receipt says how that went, later; waits only while too
    /// much is on its way.
    pub async fn publish(&self, topic: Topic, payload: String, receipt: Receipt<()>) {
        match self {
            Self::Memory(memory) => memory.publish(&topic, &payload, receipt),
            Self::Redis(redis) => redis.send(redis::Command::Publish { topic, payload, receipt }).await,
        }
    }

    /// As [`Backplane::publish`], and waits for how it went.
    ///
    /// # Errors
    /// A [`PublishError`].
    pub async fn publish_and_wait(&self, topic: Topic, payload: String) -> Result<(), PublishError> {
        let (report, reported) = oneshot::channel();
        let receipt = Receipt::new(|outcome| {
            let _ = report.send(outcome);
        });
        self.publish(topic, payload, receipt).await;
        reported.await.unwrap_or(Err(PublishError::Unconfirmed))
    }

    /// Waits until a topic that is wanted is heard, and a room has caught up. While the backplane is down there is
    /// nothing to wait for: it will be subscribed with all others.
    pub async fn ensure_subscribed(&self, topic: Topic) {
        match self {
            Self::Memory(memory) => memory.ensure_subscribed(&topic),
            Self::Redis(redis) => redis.ensure_subscribed(topic).await,
        }
    }

    /// Whether messages get through.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn ready(&self, peers: &Peers) -> Result<(), String> {
        let Self::Redis(redis) = self else { return Ok(()) };
        redis.link()?;
        match peers.own_heartbeat_age(Instant::now()) {
            Some(age) if age < peers::STALE => Ok(()),
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
