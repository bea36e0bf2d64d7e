//! Messages after the handshake, in their `MessagePack` form (`HubProtocol.md`, "`MessagePack` Encoding").
//!
//! A record is an array with a length prefix. Values of clients are converted to JSON text, because nothing
//! behind this module distinguishes the encodings: bytes become base64 and timestamps RFC 3339, as in ASP.NET
//! Core's JSON.

mod length;
mod reader;
mod values;
mod writer;

pub use self::length::length;
pub use self::reader::read;
pub use self::writer::PING;
pub(crate) use self::writer::{close, completion, invocation, numbered, stream_item};
