//! Topics: what can be listened to by way of the backplane, and changes of which are wanted here.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::protocol::names::{GroupName, RoomName};

/// What a channel is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Topic {
    /// The messages of a room, and who comes and goes.
    Room(RoomName),
    /// What is said to a group.
    Group(GroupName),
    /// What is said to a user.
    User(Arc<str>),
    /// What is said to all, or to one connection that may be anywhere.
    All,
    /// What is for one hub: its instance.
    Hub(Arc<str>),
}

/// A topic whose subscription has to be reevaluated: it gained its first subscriber or lost its last one, or its room fell
/// behind. The state is looked up when the change is acted upon, so that the order of changes does not matter.
#[derive(Debug)]
pub struct SubscriptionChange {
    /// The topic.
    pub topic: Topic,
    /// Dropped when the change is done.
    _reevaluated: Option<oneshot::Sender<()>>,
}

/// Tells the backplane of changes. They are few: one for each topic that comes or goes, not for each message.
#[derive(Debug, Clone)]
pub struct SubscriptionChanges(mpsc::UnboundedSender<SubscriptionChange>);

impl SubscriptionChanges {
    /// With the other end.
    pub fn new() -> (Self, mpsc::UnboundedReceiver<SubscriptionChange>) {
        let (sender, receiver) = mpsc::unbounded_channel();
        (Self(sender), receiver)
    }

    /// Something changed about this topic.
    pub fn reevaluate(&self, topic: Topic) {
        // Without a receiver the hub ends, or needs none.
        let _ = self.0.send(SubscriptionChange { topic, _reevaluated: None });
    }

    /// Something changed about this topic; waits until it is done.
    pub async fn reevaluated(&self, topic: Topic) {
        let (reevaluated, is_reevaluated) = oneshot::channel();
        if self.0.send(SubscriptionChange { topic, _reevaluated: Some(reevaluated) }).is_ok() {
            let _ = is_reevaluated.await;
        }
    }
}
