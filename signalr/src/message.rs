//! Messages from a client after the handshake, independent of the encoding.

use std::borrow::Cow;

/// A message from a client. Arguments, items and results are JSON text, also if they arrived as
/// `MessagePack`. They are not checked here: a bad argument fails its invocation, but does not end the
/// connection.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// An invocation of a method of the hub.
    Invocation(Invocation<'a>),
    /// An invocation of a method of the hub that answers with a stream.
    StreamInvocation(Invocation<'a>),
    /// One item of a stream that the client announced with an invocation.
    StreamItem {
        /// The stream.
        id: Cow<'a, str>,
        /// The item.
        item: Cow<'a, str>,
    },
    /// The end of a stream from the client, or the result of an invocation of the client.
    Completion {
        /// The id of the stream or the invocation.
        id: Cow<'a, str>,
        /// The result of the client's method, if it has one, or its error.
        outcome: Result<Option<Cow<'a, str>>, Cow<'a, str>>,
    },
    /// The client cancels a stream.
    CancelInvocation {
        /// The invocation that began the stream.
        id: Cow<'a, str>,
    },
    /// A sign of life.
    Ping,
    /// The client is about to close the connection.
    Close,
    /// The client has received all messages up to this number (stateful reconnect).
    Ack(u64),
    /// The client's next message has this number (stateful reconnect).
    Sequence(u64),
    /// A message of an unknown type, from a later version of the protocol, which has to be ignored.
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

/// An invocation of a method.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Invocation<'a> {
    /// The id, if the other side wants a completion.
    pub id: Option<Cow<'a, str>>,
    /// The method.
    pub target: Cow<'a, str>,
    /// The arguments, each as JSON text.
    pub arguments: Vec<Cow<'a, str>>,
    /// The ids of the streams that the other side will send.
    pub streams: Vec<Cow<'a, str>>,
}
