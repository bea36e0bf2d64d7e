//! Messages on their way into the backplane, and how much of them is kept.

use std::time::Duration;

use crate::protocol::position::Position;
use crate::protocol::room::RoomName;

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
