//! Messages on their way into the backplane, and how much of them is kept.

use std::time::Duration;

use crate::protocol::names::RoomName;
use crate::protocol::position::Position;

/// How long a nonce is remembered.
pub const NONCE_LIFETIME: Duration = Duration::from_mins(2);

/// How much of each room is kept for those who come later.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// Messages of a room; 0: none.
    pub messages: usize,
    /// After the last one, or after the last member has left.
    pub lifetime: Duration,
}

/// A request to store a message and to publish it to its room.
#[derive(Debug)]
pub struct StoreRequest {
    /// The room.
    pub room: RoomName,
    /// See [`crate::protocol::stored_message::MessageBody::encode`].
    pub body: String,
    /// When it was taken, in milliseconds since 1970.
    pub at: u64,
    /// A second message of this nonce is not stored.
    pub nonce: Option<String>,
}

/// The acknowledgement of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct StoreAck {
    /// Its id.
    pub id: Position,
    /// When it was taken, in milliseconds since 1970.
    pub at: u64,
}
