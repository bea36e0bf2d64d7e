//! The backplane, which carries messages between hubs.
//!
//! All messages take the same way, also to members on the same hub: stored, published, received, delivered.
//! So all members of a room receive its messages in the same order, and a message that is not stored reaches
//! nobody.

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

/// The way of messages between hubs.
#[derive(Debug)]
pub enum Backplane {
    /// This hub alone, in its own memory.
    Memory(memory::Memory),
    /// All hubs with the same Redis and the same event key.
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

    /// Stores a message, and publishes it to all members of its room. The receipt is called later, with the
    /// result. This waits only while too many messages are under way.
    pub async fn store(&self, request: StoreRequest, receipt: Receipt<StoreAck>) {
        match self {
            Self::Memory(memory) => memory.store(&request, receipt),
            Self::Redis(redis) => redis.send(redis::Command::Store { request, receipt }).await,
        }
    }

    /// Publishes a payload to all subscribers of a topic, without storing it. The receipt is called later,
    /// with the result. This waits only while too many messages are under way.
    pub async fn publish(&self, topic: Topic, payload: String, receipt: Receipt<()>) {
        match self {
            Self::Memory(memory) => memory.publish(&topic, &payload, receipt),
            Self::Redis(redis) => redis.send(redis::Command::Publish { topic, payload, receipt }).await,
        }
    }

    /// Publishes a payload as [`Backplane::publish`] does, and waits for the result.
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

    /// Waits until a topic with subscribers is subscribed on the backplane, and until its room has caught up.
    /// It does not wait while the backplane is down: a new connection subscribes to all topics.
    pub async fn ensure_subscribed(&self, topic: Topic) {
        match self {
            Self::Memory(memory) => memory.ensure_subscribed(&topic),
            Self::Redis(redis) => redis.ensure_subscribed(topic).await,
        }
    }

    /// Checks that messages get through.
    ///
    /// # Errors
    /// The reason why not, in one line.
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

    /// Tells the peers that this hub is shutting down, and closes the connection.
    pub async fn close(&self) {
        if let Self::Redis(redis) = self {
            redis.close().await;
        }
    }
}
