//! What a member asks for as it enters a room, and what it finds.

use std::sync::Arc;

use crate::protocol::position::Position;
use crate::protocol::said::Said;

/// What a member wants to know as it enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// At most so many of the last messages.
    Latest(usize),
    /// What came after this one.
    Since(Position),
}

/// What a member finds as it enters.
#[derive(Debug)]
pub struct Entered {
    /// The last message's.
    pub last: Option<Position>,
    /// Some of what was asked for is not there.
    pub gap: bool,
    /// The messages that were asked for; those that follow are heard.
    pub messages: Vec<Arc<Said>>,
    /// How many members there are.
    pub members: usize,
    /// How many pods serve them.
    pub pods: usize,
}
