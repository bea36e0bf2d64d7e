//! What the methods give back.

use std::sync::Arc;

use serde::{Serialize, Serializer};

use crate::protocol::position::Position;
use crate::protocol::presence::Person;
use crate::protocol::room::RoomName;
use crate::protocol::said::Said;

/// What `Join` gives back.
#[derive(Debug, Serialize)]
pub struct Joined {
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
    pub history: Vec<Arc<Said>>,
}

/// What `Who` gives back.
#[derive(Debug, Serialize)]
pub struct WhoIsThere {
    /// The room.
    pub room: RoomName,
    /// How many members it has.
    pub count: usize,
    /// How many pods serve them.
    pub pods: usize,
    /// The first of them.
    pub members: Vec<Person>,
}

fn shared<S: Serializer>(messages: &[Arc<Said>], serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_seq(messages.iter().map(AsRef::as_ref))
}
