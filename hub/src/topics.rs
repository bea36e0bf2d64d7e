//! Topics: what can be listened to by way of the backplane, and changes of which are wanted here.

use std::sync::Arc;

use tokio::sync::{mpsc, oneshot};

use crate::protocol::room::{GroupName, RoomName};

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

/// Something is wanted that was not, or is no longer, or a room fell behind: which of these is asked when it is acted
/// upon, so that the order of changes does not matter.
#[derive(Debug)]
pub struct Change {
    /// The topic.
    pub topic: Topic,
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
