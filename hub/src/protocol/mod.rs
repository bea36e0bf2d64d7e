//! SignalR's hub protocol, and the words this hub speaks in it.
//!
//! Everything here is pure: bytes and text in, values out. Sockets are in [`crate::connection`].
//!
//! Sources: `HubProtocol.md` and `TransportProtocols.md` of dotnet/aspnetcore (`src/SignalR/docs/specs`).
//! Where the npm client `@microsoft/signalr` is stricter or laxer than these, the client decides.

pub mod framing;
pub mod handshake;
pub mod json;
pub mod message;
pub mod messagepack;
pub mod methods;
pub mod moving;
pub mod negotiate;
pub mod notices;
pub mod position;
pub mod presence;
pub mod record;
pub mod room;
pub mod said;
pub mod stateful;
pub mod word;

/// Ends every JSON record (`HubProtocol.md`, "JSON Encoding"); JSON itself never contains this byte unescaped.
pub const RECORD_SEPARATOR: u8 = 0x1e;

/// The most bytes one record from a client may have by default, its separator not counted, as in ASP.NET Core.
pub const MAX_RECORD_BYTES: usize = 32 * 1024;

/// What a client sent is not of the protocol; the connection ends with this as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A record grew beyond what the hub takes.
    #[error("A message is larger than {most_bytes} bytes; send less in one message.")]
    TooLarge {
        /// What the hub takes.
        most_bytes: usize,
    },
    /// The record is no JSON object, or a field has the wrong type.
    #[error("A message is malformed: {0}.")]
    Malformed(String),
    /// A field that this type of message needs is not there.
    #[error("A message is malformed: `{0}` is missing.")]
    Missing(&'static str),
}
