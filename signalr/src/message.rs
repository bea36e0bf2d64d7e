//! What clients say after the handshake, whatever its encoding.

use std::borrow::Cow;

/// A message from a client. Arguments, items and results are JSON text, also when they came as `MessagePack`: a bad one
/// is the method's concern, and ends no connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// Calls a method of the hub.
    Invocation(Invocation<'a>),
    /// Calls a method of the hub that answers with a stream.
    StreamInvocation(Invocation<'a>),
    /// One item of a stream that the client announced with an invocation.
    StreamItem {
        /// The stream.
        id: Cow<'a, str>,
        /// The item.
        item: Cow<'a, str>,
    },
    /// The end of such a stream, or the client's answer to a call of the hub.
    Completion {
        /// The stream or the call.
        id: Cow<'a, str>,
        /// What the client's method gave back, if anything, or how it failed.
        outcome: Result<Option<Cow<'a, str>>, Cow<'a, str>>,
    },
    /// The client wants no more of a stream.
    CancelInvocation {
        /// The call that began it.
        id: Cow<'a, str>,
    },
    /// The client is alive.
    Ping,
    /// The client is about to go.
    Close,
    /// The client has everything up to this message (stateful reconnect).
    Ack(u64),
    /// What the client sends next begins with this message (stateful reconnect).
    Sequence(u64),
    /// Of a later version of the protocol, which has to be ignored.
    Ignored,
}

impl ClientMessage<'_> {
    /// True if stateful reconnect gives the message a sequence number (`HubProtocol.md`, "Ack").
    pub fn is_sequenced(&self) -> bool {
        matches!(
            self,
            Self::Invocation(_)
                | Self::StreamInvocation(_)
                | Self::StreamItem { .. }
                | Self::Completion { .. }
                | Self::CancelInvocation { .. }
        )
    }
}

/// A call of a method of the hub.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// Present when the client wants to know how it ended.
    pub id: Option<Cow<'a, str>>,
    /// The method.
    pub target: Cow<'a, str>,
    /// Each as JSON text.
    pub arguments: Vec<Cow<'a, str>>,
    /// The streams that the client will send.
    pub streams: Vec<Cow<'a, str>>,
}
