//! SignalR's hub protocol, for servers and clients: bytes in, values out, and the reverse. It does no I/O.
//!
//! Sources: `HubProtocol.md` and `TransportProtocols.md` of dotnet/aspnetcore (`src/SignalR/docs/specs`).
//! Where the npm client `@microsoft/signalr` is stricter or laxer than these documents, the client decides.

pub mod client;
pub mod encoding;
pub mod error;
pub mod framing;
pub mod handshake;
pub mod json;
pub mod message;
pub mod messagepack;
pub mod negotiate;
pub mod record;
pub mod split;
pub mod stateful;
