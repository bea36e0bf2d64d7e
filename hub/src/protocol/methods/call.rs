//! An invocation of one of the hub's methods, with its arguments.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::names::{GroupName, MemberName, Nonce, RoomName};
use crate::protocol::position::Position;

/// The recipients of an invocation of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Every connection of every hub.
    All,
    /// Every connection in a group.
    Group(GroupName),
    /// Every connection of a user.
    User(String),
    /// One connection.
    Connection(String),
}

/// An invocation of a method of the hub, with valid arguments.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubCall {
    /// Joins a room: the caller receives its messages from now on.
    Join {
        /// The room.
        room: RoomName,
        /// The caller's name in the room.
        name: MemberName,
        /// The options of `Join`.
        options: JoinOptions,
    },
    /// Leaves a room: the caller no longer receives its messages.
    Leave {
        /// The room.
        room: RoomName,
    },
    /// Shows the other members of a room that the caller is writing.
    Typing {
        /// The room.
        room: RoomName,
    },
    /// Asks for the members of a room.
    Who {
        /// The room.
        room: RoomName,
    },
    /// Sends a text to every connection of a user.
    Tell {
        /// The user.
        user: String,
        /// The text.
        text: String,
    },
    /// Adds the caller to a group.
    AddToGroup(GroupName),
    /// Removes the caller from a group.
    RemoveFromGroup(GroupName),
    /// Invokes a method of clients.
    CallClients {
        /// The clients.
        recipients: Recipients,
        /// True if the caller's own connection is excluded.
        to_others: bool,
        /// The method and its arguments.
        call: ClientCall,
    },
    /// Invokes a method of one client, and returns its result.
    InvokeClient {
        /// The id of its connection.
        connection: String,
        /// The method and its arguments.
        call: ClientCall,
    },
    /// Sends the texts of a stream to a room.
    SendMany {
        /// The room.
        room: RoomName,
    },
    /// Sends a text to a room.
    Send {
        /// The room.
        room: RoomName,
        /// The text.
        text: String,
        /// The options of `Send`.
        options: SendOptions,
    },
}

impl HubCall {
    /// True for the generic methods, which are independent of the chat: groups, and invocations of clients.
    pub fn is_generic(&self) -> bool {
        matches!(
            self,
            Self::AddToGroup(_)
                | Self::RemoveFromGroup(_)
                | Self::CallClients { .. }
                | Self::InvokeClient { .. }
        )
    }
}

/// An invocation of a method of clients.
#[derive(Debug, Clone)]
pub struct ClientCall {
    /// The method.
    pub target: String,
    /// The arguments, a JSON array.
    pub arguments: Box<RawValue>,
}

impl PartialEq for ClientCall {
    fn eq(&self, other: &Self) -> bool {
        (&self.target, self.arguments.get()) == (&other.target, other.arguments.get())
    }
}

impl Eq for ClientCall {}

/// The options of `Join`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JoinOptions {
    /// The last message that the caller has.
    pub since: Option<Position>,
    /// The most messages that the caller wants without `since`; `None`: all that are kept.
    pub history: Option<u32>,
    /// True if the caller wants to be notified of members that join, leave or are writing.
    pub presence: bool,
}

/// The options of `Send`.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// An id against duplicates: a second message with the same nonce is not stored.
    pub nonce: Option<Nonce>,
    /// True if the sender receives the message, too.
    pub echo: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { nonce: None, echo: true }
    }
}
