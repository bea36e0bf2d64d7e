//! A SignalR client for tests and tools: negotiation, handshake, invocations of the hub's methods, and the
//! hub's calls.
//!
//! It runs over any connection, such as TCP or a port-forward to a pod, and speaks WebSocket. The caller
//! opens the connections: one for [`negotiate`], and another one for [`Client::connect`]. A hub without
//! authentication can be reached without negotiation, too.
//!
//! A [`Client`] sends pings by itself. A [`Socket`] is the layer below: records as they are, for tests of a
//! hub.

mod client;
mod endpoint;
mod error;
mod event;
mod negotiation;
mod socket;

pub use client::Client;
pub use endpoint::Endpoint;
pub use error::Error;
pub use event::Call;
pub use negotiation::negotiate;
pub use signalr::encoding::Encoding;
pub use socket::Socket;
