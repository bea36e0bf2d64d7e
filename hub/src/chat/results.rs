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
    /// How many members the room has, the caller included.
    pub members: usize,
    /// How many pods serve them.
    pub pods: usize,
    /// The room's last message.
    pub last: Option<Position>,
    /// Some of what came after `since` is no longer there.
    pub gap: bool,
    /// What was said before; what is said from now on is heard.
    #[serde(serialize_with = "shared")]
    pub history: Vec<Arc<StoredMessage>>,
}

/// What `MemberIdentity` gives back.
#[derive(Debug, Serialize)]
pub struct RoomMembers {
    /// The room.
    pub room: RoomName,
    /// How many members it has.
    pub count: usize,
    /// How many pods serve them.
    pub pods: usize,
    /// The first of them.
    pub members: Vec<MemberInfo>,
}

fn shared<S: Serializer>(messages: &[Arc<StoredMessage>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(AsRef::as_ref))
}
