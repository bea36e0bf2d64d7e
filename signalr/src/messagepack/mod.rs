//! Messages after the handshake, in their `MessagePack` form (`HubProtocol.md`, "`MessagePack` Encoding").
//!
//! A record is an array behind its length. Values of clients become JSON text, for nothing after this tells the encodings
//! apart: bytes become base64 and timestamps RFC 3339, as ASP.NET Core's JSON has them.

mod length;
mod reader;
mod values;
mod writer;

pub use self::length::length;
pub use self::reader::read;
pub use self::writer::PING;
pub(crate) use self::writer::{close, completion, invocation, numbered, stream_item};
