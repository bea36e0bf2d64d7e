//! Topics that hubs subscribe to on the backplane, and changes of this hub's subscriptions.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::protocol::names::{GroupName, RoomName};

/// A topic of the backplane; each has a channel.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// A room: its messages and its presence.
    Room(RoomName),
    /// A group: invocations of its members.
    Group(GroupName),
    /// A user: invocations of the user's connections.
    User(Arc<str>),
    /// Every hub: invocations of all clients, or of one connection whose hub is unknown.
    All,
    /// One hub, by its instance: replies to its requests.
    Hub(Arc<str>),
}

/// A topic whose subscription has to be reevaluated, because it gained its first subscriber or lost its last
/// one, or because its room fell behind. The backplane looks up the topic's state when it handles the change,
/// so the order of changes does not matter.
#[derive(Debug)]
pub struct SubscriptionChange {
    /// The topic.
    pub topic: Topic,
    /// Dropped when the change has been handled, which wakes the sender.
    _reevaluated: Option<oneshot::Sender<()>>,
}

/// Notifies the backplane of changes. They are rare: one when a topic gains or loses its subscribers, and
/// none for messages.
#[derive(Debug, Clone)]
pub struct SubscriptionChanges(mpsc::UnboundedSender<SubscriptionChange>);

impl SubscriptionChanges {
    /// The sender and the receiver of changes.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<SubscriptionChange>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Makes the backplane reevaluate the subscription to a topic.
    pub fn reevaluate(&self, topic: Topic) {
        // Without a receiver the hub is ending, or its backplane needs no subscriptions.
        let _ = self.0.send(SubscriptionChange { topic, _reevaluated: None });
    }

    /// Makes the backplane reevaluate the subscription to a topic, and waits until that is done.
    pub async fn reevaluated(&self, topic: Topic) {
        let (reevaluated, is_reevaluated) = oneshot::channel();
        if self.0.send(SubscriptionChange { topic, _reevaluated: Some(reevaluated) }).is_ok() {
            let _ = is_reevaluated.await;
        }
    }
}
