//! One message as it is sent: a whole record in the encoding that the client chose.

use std::ops::Deref;

use bytes::Bytes;
use serde::{Serialize, Serializer};

/// One whole record, ready to be written. Clones share the bytes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Record {
    bytes: Bytes,
    /// True if stateful reconnect gives the record a sequence number (`HubProtocol.md`, "Ack"). A record that
    /// belongs to one WebSocket only, such as a ping, has none and is not sent again.
    is_sequenced: bool,
}

impl Record {
    /// A record with a sequence number. `bytes` have to be one or more whole records of one encoding.
    pub fn new(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_sequenced: true }
    }

    /// A record that belongs to one WebSocket only, such as a ping. See [`Record::new`].
    pub fn unsequenced(bytes: impl Into<Bytes>) -> Self {
        Self { bytes: bytes.into(), is_sequenced: false }
    }

    /// True if stateful reconnect gives the record a sequence number.
    pub fn is_sequenced(&self) -> bool {
        self.is_sequenced
    }

    /// The bytes, which are not copied.
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

/// The result of an invocation, for its caller.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CompletionResult<R> {
    /// The method returned without a value.
    Void,
    /// The method returned a value.
    Value(R),
    /// The method failed, with a text for the client.
    Error(String),
}

/// A value that is JSON text already, such as an argument from one client for others. The text has to be
/// valid JSON.
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
