//! What the hub says, as it goes over the wire: whole records in the encoding that a client chose.

use std::cell::OnceCell;
use std::ops::Deref;

use bytes::Bytes;
use serde::{Serialize, Serializer};

use super::{json, messagepack};

/// How a client wants its messages encoded; it says so in its handshake.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Text, each record ended by 0x1e.
    Json,
    /// Bytes, each record behind its length.
    MessagePack,
}

/// One whole record, ready to be written. The bytes are shared by all who get them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    bytes: Bytes,
    /// Whether stateful reconnect counts it (`HubProtocol.md`, "Ack"): what belongs to one WebSocket only is not sent again.
    is_counted: bool,
}

impl Record {
    /// `bytes` have to be one or more whole records of one encoding.
    pub(crate) fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_counted: true }
    }

    /// As [`Record::new`], for what belongs to one WebSocket only.
    pub(crate) fn uncounted(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_counted: false }
    }

    /// Whether stateful reconnect counts it.
    pub fn is_counted(&self) -> bool {
        self.is_counted
    }

    /// The bytes, shared.
    pub fn into_bytes(self) -> Bytes {
        self.bytes
    }
}

impl Deref for Record {
    type Target = [u8];

    fn deref(&self) -> &[u8] {
        &self.bytes
    }
}

/// How a call ended, for who called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome<R> {
    /// With nothing to give back.
    Done,
    /// With a result.
    Gave(R),
    /// With an error, in words for the client.
    Failed(String),
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
    pub fn completion<R: Serialize>(self, id: &str, outcome: &Outcome<R>) -> Record {
        match self {
            Self::Json => json::completion(id, outcome),
            Self::MessagePack => messagepack::completion(id, outcome),
        }
    }

    /// Keeps a connection alive; carries nothing.
    pub fn ping(self) -> Record {
        match self {
            Self::Json => Record::uncounted(json::PING),
            Self::MessagePack => Record::uncounted(messagepack::PING),
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

/// Something to say to many clients.
pub trait Say {
    /// The record in one encoding.
    fn say(&self, encoding: Encoding) -> Record;
}

/// Encodes what is said once for each encoding that is asked for, however many ask.
#[derive(Debug)]
pub struct Once<'a, S> {
    said: &'a S,
    json: OnceCell<Record>,
    messagepack: OnceCell<Record>,
}

impl<'a, S: Say> Once<'a, S> {
    /// Nothing is encoded yet.
    pub fn new(said: &'a S) -> Self {
        Self { said, json: OnceCell::new(), messagepack: OnceCell::new() }
    }

    /// The record in one encoding.
    pub fn record(&self, encoding: Encoding) -> &Record {
        let cell = match encoding {
            Encoding::Json => &self.json,
            Encoding::MessagePack => &self.messagepack,
        };
        cell.get_or_init(|| self.said.say(encoding))
    }
}

/// A value that is JSON text already, such as an argument that one client gives for others. It is valid JSON.
#[derive(Debug, Clone, Copy)]
pub struct JsonText<'a>(pub &'a str);

impl Serialize for JsonText<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        use serde::ser::Error;
        if serializer.is_human_readable() {
            let raw: &serde_json::value::RawValue = serde_json::from_str(self.0).map_err(S::Error::custom)?;
            return raw.serialize(serializer);
        }
        let value: serde_json::Value = serde_json::from_str(self.0).map_err(S::Error::custom)?;
        value.serialize(serializer)
    }
}
