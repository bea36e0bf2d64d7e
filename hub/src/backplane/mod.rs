//! How messages reach the members that other pods serve.
//!
//! A message takes one way, also to members of the same pod: stored, published, heard, delivered. So everyone hears a
//! room in the same order, and what is not stored is heard by no one.

pub mod channels;
pub mod link;
pub mod memory;
pub mod redis;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::sync::{mpsc, oneshot};

pub use self::channels::Topic;
use self::channels::{Channel, Channels};
use crate::canary::{self, Canary};
use crate::chat::Audiences;
use crate::metrics::Metrics;
use crate::protocol::position::Position;
use crate::protocol::room::{GroupName, RoomName};
use crate::rooms::Rooms;

/// How long a nonce is remembered.
pub const NONCE_LIFETIME: Duration = Duration::from_mins(2);

/// How much of each room is kept for those who come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct History {
    /// Messages of a room; 0: none.
    pub messages: usize,
    /// After the last one, or after the last member has left.
    pub lifetime: Duration,
}

/// A message to be stored.
#[derive(Debug)]
pub struct Letter {
    /// The room.
    pub room: RoomName,
    /// See [`crate::protocol::said::Message::body`].
    pub body: String,
    /// When it was taken, in milliseconds since 1970.
    pub at: u64,
    /// A second message of this nonce is not stored.
    pub nonce: Option<String>,
}

/// A message that is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct Stored {
    /// Its id.
    pub id: Position,
    /// When it was taken, in milliseconds since 1970.
    pub at: u64,
}

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
    pub async fn store(&self, letter: Letter, receipt: Receipt<Stored>) {
        match self {
            Self::Memory(memory) => memory.store(&letter, receipt),
            Self::Redis(redis) => redis.send(redis::Errand::Store { letter, receipt }).await,
        }
    }

    /// Sends something to all who hear a topic, and stores nothing. The receipt says how that went, later; waits only while too
    /// much is on its way.
    pub async fn publish(&self, topic: Topic, payload: String, receipt: Receipt<()>) {
        match self {
            Self::Memory(memory) => memory.publish(&topic, &payload, receipt),
            Self::Redis(redis) => redis.send(redis::Errand::Publish { topic, payload, receipt }).await,
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
    pub async fn joined(&self, topic: Topic) {
        match self {
            Self::Memory(memory) => memory.joined(&topic),
            Self::Redis(redis) => redis.joined(topic).await,
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
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no backplane now.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The connection broke before the answer; it may or may not have been heard.
    #[error("the backplane was lost before it confirmed")]
    Unconfirmed,
    /// The backplane has no memory left.
    #[error("the backplane is full")]
    Full,
    /// The backplane takes no writes, because it is a replica or cannot write to its disk.
    #[error("the backplane is read-only")]
    ReadOnly,
    /// The backplane answered with another error.
    #[error("the backplane refused it")]
    Refused,
}

type Report<T> = Box<dyn FnOnce(Result<T, PublishError>) + Send>;

/// Tells the sender of a message how it went, exactly once: dropped, it says [`PublishError::Unconfirmed`].
pub struct Receipt<T>(Option<Report<T>>);

impl<T> Receipt<T> {
    /// A receipt that calls `report`.
    pub fn new(report: impl FnOnce(Result<T, PublishError>) + Send + 'static) -> Self {
        Self(Some(Box::new(report)))
    }

    /// Says how it went.
    pub fn report(mut self, outcome: Result<T, PublishError>) {
        if let Some(report) = self.0.take() {
            report(outcome);
        }
    }
}

impl<T> Drop for Receipt<T> {
    fn drop(&mut self) {
        if let Some(report) = self.0.take() {
            report(Err(PublishError::Unconfirmed));
        }
    }
}

impl<T> std::fmt::Debug for Receipt<T> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Receipt")
    }
}

/// Something is wanted that was not, or is no longer, or a room fell behind: which of these is asked when it is acted
/// upon, so that the order of changes does not matter.
#[derive(Debug)]
pub struct Change {
    topic: Topic,
    /// Dropped when the change is done.
    _done: Option<oneshot::Sender<()>>,
}

/// Tells the backplane of changes. They are few: one for each topic that comes or goes, not for each message.
#[derive(Debug, Clone)]
pub struct Changes(mpsc::UnboundedSender<Change>);

impl Changes {
    /// With the other end.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<Change>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Something changed about this topic.
    pub fn touch(&self, topic: Topic) {
        // Without a receiver the hub ends, or needs none.
        let _ = self.0.send(Change { topic, _done: None });
    }

    /// Something changed about this topic; waits until it is done.
    pub async fn done(&self, topic: Topic) {
        let (done, is_done) = oneshot::channel();
        if self.0.send(Change { topic, _done: Some(done) }).is_ok() {
            let _ = is_done.await;
        }
    }
}

/// What the backplane hears goes here.
#[derive(Debug, Clone)]
pub struct Inbound {
    /// The members of this pod.
    pub rooms: Arc<Rooms>,
    /// All others who hear something.
    pub audiences: Arc<Audiences>,
    /// The beats of all pods.
    pub canary: Arc<Canary>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Inbound {
    /// Passes on what came on a channel.
    pub fn hear(&self, channels: &Channels, channel: &[u8], payload: &[u8]) {
        let understood = match (channels.read(channel), std::str::from_utf8(payload)) {
            (Some(Channel::Room(room)), Ok(payload)) => self.rooms.hear(room, payload),
            (Some(Channel::Group(group)), Ok(payload)) => GroupName::new(group.to_owned())
                .is_ok_and(|group| self.audiences.hear(&Topic::Group(group), payload)),
            (Some(Channel::User(user)), Ok(payload)) => {
                self.audiences.hear(&Topic::User(user.into()), payload)
            }
            (Some(Channel::Hub(instance)), Ok(payload)) => {
                self.audiences.hear(&Topic::Hub(instance.into()), payload)
            }
            (Some(Channel::All), Ok(payload)) => self.audiences.hear(&Topic::All, payload),
            (Some(Channel::Canary), Ok(_)) => match self.canary.hear(payload, Instant::now()) {
                Some(canary::Heard::There) => true,
                Some(canary::Heard::Back) => {
                    self.rooms.doubt();
                    true
                }
                Some(canary::Heard::Leaves(instance)) => {
                    self.forget(&instance);
                    true
                }
                None => false,
            },
            _ => false,
        };
        if !understood {
            self.metrics.messages_not_understood.inc();
        }
    }

    /// A hub is gone, and all its clients with it.
    pub fn forget(&self, instance: &str) {
        self.rooms.forget(instance);
        self.audiences.forget(instance);
    }

    /// Only these hubs are there.
    pub fn forget_all_but(&self, instances: &HashSet<String>, now: Instant) {
        self.rooms.forget_all_but(instances);
        self.audiences.forget_all_but(instances, now);
    }

    /// Whether a topic has someone here who listens.
    pub fn is_wanted(&self, topic: &Topic) -> bool {
        match topic {
            Topic::Room(room) => self.rooms.is_wanted(room.as_str()),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => self.audiences.is_wanted(topic),
        }
    }

    /// All topics that have someone here who listens.
    pub fn wanted(&self) -> Vec<Topic> {
        let rooms = self.rooms.all().into_iter().map(|room| Topic::Room(room.name().clone()));
        rooms.chain(self.audiences.wanted()).collect()
    }
}
