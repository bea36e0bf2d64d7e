//! Results of the hub's methods.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::protocol::names::RoomName;
use crate::protocol::position::Position;
use crate::protocol::presence::MemberInfo;
use crate::protocol::stored_message::StoredMessage;

/// The result of `Join`.
#[derive(Debug, Serialize)]
pub struct JoinResult {
    /// The room.
    pub room: RoomName,
    /// The hub pod that serves the caller.
    pub pod: String,
    /// The number of the room's members, the caller included.
    pub members: usize,
    /// The number of pods that serve them.
    pub pods: usize,
    /// The position of the room's last message.
    pub last: Option<Position>,
    /// True if some of the messages after `since` are no longer stored.
    pub gap: bool,
    /// The requested messages. The client receives later ones as they arrive.
    #[serde(serialize_with = "shared")]
    pub history: Vec<Arc<StoredMessage>>,
}

/// The result of `Who`.
#[derive(Debug, Serialize)]
pub struct RoomMembers {
    /// The room.
    pub room: RoomName,
    /// The number of the room's members.
    pub count: usize,
    /// The number of pods that serve them.
    pub pods: usize,
    /// The first of the members.
    pub members: Vec<MemberInfo>,
}

fn shared<S: Serializer>(messages: &[Arc<StoredMessage>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(AsRef::as_ref))
}
