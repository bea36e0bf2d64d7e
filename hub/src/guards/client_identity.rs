//! The identity of a client, from its token.

use std::sync::Arc;
use std::time::Duration;

/// The claims of a client's token; empty if clients need no token.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ClientIdentity {
    /// The user (`sub`).
    pub user: Option<Arc<str>>,
    /// The name of the user (`name`), which takes precedence over the client's choice.
    pub name: Option<String>,
    /// The rooms that the client may join; `None`: all.
    pub rooms: Option<Vec<String>>,
    /// The time until the token expires; `None`: never.
    pub expires_in: Option<Duration>,
}

impl ClientIdentity {
    /// True if the client may join the room.
    pub fn may_join(&self, room: &str) -> bool {
        self.rooms.as_ref().is_none_or(|rooms| rooms.iter().any(|name| name == room))
    }
}
