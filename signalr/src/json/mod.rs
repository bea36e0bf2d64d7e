//! Messages after the handshake, in their JSON form (`HubProtocol.md`, "JSON Encoding").

mod reader;
mod writer;

pub use self::reader::read;
pub use self::writer::{PING, RECORD_SEPARATOR};
pub(crate) use self::writer::{close, completion, invocation, numbered, stream_item, text};
