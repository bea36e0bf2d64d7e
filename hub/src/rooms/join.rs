//! The history that a joining member requests, and the snapshot of the room that it gets.

use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::stored_message::StoredMessage;

/// The part of a room's history that a member asks for as it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRequest {
    /// At most this many of the last messages.
    Latest(usize),
    /// The messages after this one.
    Since(Position),
}

/// The room at the moment when a member joins it.
#[derive(Debug)]
pub struct JoinSnapshot {
    /// The position of the last message, as far as this hub knows it.
    pub last: Option<Position>,
    /// True if some of the requested messages are not available.
    pub gap: bool,
    /// The requested messages. The member receives later ones as they arrive.
    pub messages: Vec<Arc<StoredMessage>>,
    /// The number of members on all hubs, the new one included.
    pub members: usize,
    /// The number of pods that serve them.
    pub pods: usize,
}
