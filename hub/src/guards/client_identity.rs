//! A client as its token describes it.

use std::sync::Arc;
use std::time::Duration;

/// What is known of a client from its token; without tokens, nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// Who it is (`sub`).
    pub user: Option<Arc<str>>,
    /// What it is called, whatever it says (`name`).
    pub name: Option<String>,
    /// The rooms that it may join; `None`: all.
    pub rooms: Option<Vec<String>>,
    /// When it is no longer welcome, from now.
    pub expires_in: Option<Duration>,
}

impl ClientIdentity {
    /// Whether the client may join a room.
    pub fn may_join(&self, room: &str) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|name| name == room))
    }
}
