//! The two encodings of the hub protocol, and writers for its messages in either of them.

use std::cell::OnceCell;

use serde::Serialize;

use crate::record::{CompletionResult, Record};
use crate::{json, messagepack};

/// The encoding of a connection's messages, which the client chooses in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text, each record ended by 0x1e.
    Json,
    /// Bytes, each record behind its length.
    MessagePack,
}

impl Encoding {
    /// An invocation of the other side's method `target`. `arguments` have to serialise as a sequence. With
    /// an `id`, the other side completes the invocation.
    pub fn invocation<A: Serialize>(self, id: Option<&str>, target: &str, arguments: &A) -> Record {
        match self {
            Self::Json => json::invocation(id, target, arguments),
            Self::MessagePack => messagepack::invocation(id, target, arguments),
        }
    }

    /// One item of the stream that the invocation `id` asked for.
    pub fn stream_item<T: Serialize>(self, id: &str, item: &T) -> Record {
        match self {
            Self::Json => json::stream_item(id, item),
            Self::MessagePack => messagepack::stream_item(id, item),
        }
    }

    /// The completion of the invocation `id`.
    pub fn completion<R: Serialize>(self, id: &str, outcome: &CompletionResult<R>) -> Record {
        match self {
            Self::Json => json::completion(id, outcome),
            Self::MessagePack => messagepack::completion(id, outcome),
        }
    }

    /// A ping, which keeps a connection alive and carries nothing.
    pub fn ping(self) -> Record {
        match self {
            Self::Json => Record::unsequenced(json::PING),
            Self::MessagePack => Record::unsequenced(messagepack::PING),
        }
    }

    /// Announces that the hub is about to close the connection. With `allow_reconnect`, the client may
    /// reconnect at once.
    pub fn close(self, error: Option<&str>, allow_reconnect: bool) -> Record {
        match self {
            Self::Json => json::close(error, allow_reconnect),
            Self::MessagePack => messagepack::close(error, allow_reconnect),
        }
    }

    /// Acknowledges all messages up to number `sequence` (stateful reconnect).
    pub fn ack(self, sequence: u64) -> Record {
        match self {
            Self::Json => json::numbered(8, sequence),
            Self::MessagePack => messagepack::numbered(8, sequence),
        }
    }

    /// Announces that the next message has the number `sequence` (stateful reconnect).
    pub fn sequence(self, sequence: u64) -> Record {
        match self {
            Self::Json => json::numbered(9, sequence),
            Self::MessagePack => messagepack::numbered(9, sequence),
        }
    }
}

/// A message that can be written in both encodings.
pub trait Encode {
    /// The record in one encoding.
    fn encode(&self, encoding: Encoding) -> Record;
}

/// Encodes a message at most once in each encoding, however many clients receive it.
#[derive(Debug)]
pub struct EncodedOnce<'a, S> {
    message: &'a S,
    json: OnceCell<Record>,
    messagepack: OnceCell<Record>,
}

impl<'a, S: Encode> EncodedOnce<'a, S> {
    /// A message that has not been encoded yet.
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
