//! A member's request as it joins a room, and the room as it finds it.

use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::stored_message::StoredMessage;

/// The part of a room's history that a member asks for as it joins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HistoryRequest {
    /// At most so many of the last messages.
    Latest(usize),
    /// What came after this one.
    Since(Position),
}

/// The room as a member finds it when it joins.
#[derive(Debug)]
pub struct JoinSnapshot {
    /// The last message's.
    pub last: Option<Position>,
    /// Some of what was asked for is not there.
    pub gap: bool,
    /// The messages that were asked for; those that follow are heard.
    pub messages: Vec<Arc<StoredMessage>>,
    /// How many members there are.
    pub members: usize,
    /// How many pods serve them.
    pub pods: usize,
}
