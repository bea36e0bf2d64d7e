//! A call of one of the hub's methods, with its arguments read.

use serde::Deserialize;
use serde_json::value::RawValue;

use crate::protocol::names::{GroupName, MemberName, Nonce, RoomName};
use crate::protocol::position::Position;

/// The recipients of an invocation of clients.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recipients {
    /// Every connection of every hub.
    All,
    /// All in a group.
    Group(GroupName),
    /// Every connection of a user.
    User(String),
    /// One connection.
    Connection(String),
}

/// A call that can be carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubCall {
    /// From now on the caller hears the room.
    Join {
        /// The room.
        room: RoomName,
        /// What the caller is called there.
        name: MemberName,
        /// What else the caller wants.
        options: JoinOptions,
    },
    /// The caller no longer hears the room.
    Leave {
        /// The room.
        room: RoomName,
    },
    /// The others see that the caller is writing.
    Typing {
        /// The room.
        room: RoomName,
    },
    /// Who is in the room.
    Who {
        /// The room.
        room: RoomName,
    },
    /// Every connection of a user hears the text.
    Tell {
        /// The user.
        user: String,
        /// The text.
        text: String,
    },
    /// From now on the caller hears what is for the group.
    AddToGroup(GroupName),
    /// The caller no longer hears it.
    RemoveFromGroup(GroupName),
    /// Calls clients' methods.
    CallClients {
        /// The clients.
        recipients: Recipients,
        /// All but the caller's own.
        to_others: bool,
        /// The call.
        call: ClientCall,
    },
    /// Calls a method of one client, which answers.
    InvokeClient {
        /// The id of its connection.
        connection: String,
        /// The call.
        call: ClientCall,
    },
    /// Everyone in the room hears the texts of a stream.
    SendMany {
        /// The room.
        room: RoomName,
    },
    /// Everyone in the room hears the text.
    Send {
        /// The room.
        room: RoomName,
        /// The text.
        text: String,
        /// What else the caller wants.
        options: SendOptions,
    },
}

impl HubCall {
    /// Whether it is none of the chat's.
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

/// A call of a method of clients.
#[derive(Debug, Clone)]
pub struct ClientCall {
    /// The method.
    pub target: String,
    /// Its arguments, an array.
    pub arguments: Box<RawValue>,
}

impl PartialEq for ClientCall {
    fn eq(&self, other: &Self) -> bool {
        (&self.target, self.arguments.get()) == (&other.target, other.arguments.get())
    }
}

impl Eq for ClientCall {}

/// What `Join` may be asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct JoinOptions {
    /// The last message that the caller has.
    pub since: Option<Position>,
    /// The most messages that the caller wants without `since`; all that are kept if it does not say.
    pub history: Option<u32>,
    /// Also be told who comes and goes, and who is writing.
    pub presence: bool,
}

/// What `Send` may be asked for.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default)]
pub struct SendOptions {
    /// A second message of this nonce is not stored.
    pub nonce: Option<Nonce>,
    /// The sender hears it, too.
    pub echo: bool,
}

impl Default for SendOptions {
    fn default() -> Self {
        Self { nonce: None, echo: true }
    }
}
