//! The two encodings of the hub protocol, and the records of a server in either.

use std::cell::OnceCell;

use serde::Serialize;

use crate::record::{CompletionResult, Record};
use crate::{json, messagepack};

/// How a client wants its messages encoded; it says so in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text, each record ended by 0x1e.
    Json,
    /// Bytes, each record behind its length.
    MessagePack,
}

impl Encoding {
    /// Calls a client's method. `arguments` have to serialise as a sequence; with an `id` the client answers.
    pub fn invocation<A: Serialize>(self, id: Option<&str>, target: &str, arguments: &A) -> Record {
        match self {
            Self::Json => json::invocation(id, target, arguments),
            Self::MessagePack => messagepack::invocation(id, target, arguments),
        }
    }

    /// One item of the stream that the client asked for by the call `id`.
    pub fn stream_item<T: Serialize>(self, id: &str, item: &T) -> Record {
        match self {
            Self::Json => json::stream_item(id, item),
            Self::MessagePack => messagepack::stream_item(id, item),
        }
    }

    /// The client's call `id` has ended.
    pub fn completion<R: Serialize>(self, id: &str, outcome: &CompletionResult<R>) -> Record {
        match self {
            Self::Json => json::completion(id, outcome),
            Self::MessagePack => messagepack::completion(id, outcome),
        }
    }

    /// Keeps a connection alive; carries nothing.
    pub fn ping(self) -> Record {
        match self {
            Self::Json => Record::unsequenced(json::PING),
            Self::MessagePack => Record::unsequenced(messagepack::PING),
        }
    }

    /// The hub is about to close the connection. With `allow_reconnect` the client may come back at once.
    pub fn close(self, error: Option<&str>, allow_reconnect: bool) -> Record {
        match self {
            Self::Json => json::close(error, allow_reconnect),
            Self::MessagePack => messagepack::close(error, allow_reconnect),
        }
    }

    /// Everything up to the message `sequence` has arrived (stateful reconnect).
    pub fn ack(self, sequence: u64) -> Record {
        match self {
            Self::Json => json::numbered(8, sequence),
            Self::MessagePack => messagepack::numbered(8, sequence),
        }
    }

    /// What follows begins with the message `sequence` (stateful reconnect).
    pub fn sequence(self, sequence: u64) -> Record {
        match self {
            Self::Json => json::numbered(9, sequence),
            Self::MessagePack => messagepack::numbered(9, sequence),
        }
    }
}

/// A message that can be encoded for clients of either encoding.
pub trait Encode {
    /// The record in one encoding.
    fn encode(&self, encoding: Encoding) -> Record;
}

/// Encodes a message at most once in each encoding, however many clients it goes to.
#[derive(Debug)]
pub struct EncodedOnce<'a, S> {
    message: &'a S,
    json: OnceCell<Record>,
    messagepack: OnceCell<Record>,
}

impl<'a, S: Encode> EncodedOnce<'a, S> {
    /// Nothing is encoded yet.
    pub fn new(message: &'a S) -> Self {
        Self { message, json: OnceCell::new(), messagepack: OnceCell::new() }
    }

    /// The record in one encoding.
    pub fn record(&self, encoding: Encoding) -> &Record {
        let cell = match encoding {
            Encoding::Json => &self.json,
            Encoding::MessagePack => &self.messagepack,
        };
        cell.get_or_init(|| self.message.encode(encoding))
    }
}
