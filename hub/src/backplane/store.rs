//! Requests to store messages, and the settings of the history.

use std::time::Duration;

use crate::protocol::names::RoomName;
use crate::protocol::position::Position;

/// The time for which a nonce is remembered.
pub const NONCE_LIFETIME: Duration = Duration::from_mins(2);

/// The number of messages that are kept of each room for later members, and for how long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HistorySettings {
    /// The most messages per room; 0: no history.
    pub messages: usize,
    /// The lifetime after the last message, or after the last member has left.
    pub lifetime: Duration,
}

/// A request to store a message and to publish it to its room.
#[derive(Debug)]
pub struct StoreRequest {
    /// The room.
    pub room: RoomName,
    /// The body, encoded by [`MessageBody::encode`](crate::protocol::stored_message::MessageBody::encode).
    pub body: String,
    /// The time when the hub accepted the message, in milliseconds since 1970.
    pub at: u64,
    /// An id against duplicates: a second message with the same nonce is not stored.
    pub nonce: Option<String>,
}

/// The acknowledgement of a stored message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize)]
pub struct StoreAck {
    /// The message's id.
    pub id: Position,
    /// The time when the hub accepted the message, in milliseconds since 1970.
    pub at: u64,
}
