//! Errors of a connection to a hub.

use http::StatusCode;
use signalr::client::handshake::ResponseError;
use signalr::error::ProtocolError;

/// The reason why a connection was not made, or has ended, or why an invocation failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Something that was waited for did not happen before the deadline.
    #[error("{0} did not come in time; is the hub overloaded, or stuck?")]
    Timeout(String),
    /// No HTTP exchange is possible on the connection.
    #[error("no answer by HTTP: {0}")]
    Http(String),
    /// The server gives no connection by negotiation.
    #[error("POST {target} is answered with {status}; is there a SignalR hub at this path?")]
    Refused {
        /// The path and query of the negotiation.
        target: String,
        /// The status of the answer.
        status: StatusCode,
        /// The body of the answer, which may say why.
        body: String,
    },
    /// The answer to a negotiation names no connection.
    #[error("POST {target} gives no connection; is there a SignalR hub at this path?")]
    NoConnection {
        /// The path and query of the negotiation.
        target: String,
    },
    /// The server does not upgrade the connection to a WebSocket.
    #[error("no WebSocket: {0}")]
    Upgrade(String),
    /// The handshake of SignalR failed.
    #[error(transparent)]
    Handshake(#[from] ResponseError),
    /// The hub sent something that is not of SignalR's protocol.
    #[error("the hub breaks SignalR's protocol: {0}")]
    Protocol(#[from] ProtocolError),
    /// The hub announced the end of the connection, or closed the WebSocket.
    #[error("the hub ends the connection: {}", reason.as_deref().unwrap_or("no reason given"))]
    Closed {
        /// The code of the WebSocket's close (RFC 6455, section 7.4), if that is how the hub ended it.
        code: Option<u16>,
        /// The hub's reason.
        reason: Option<String>,
    },
    /// The connection broke.
    #[error("the connection ended: {0}")]
    Broken(String),
    /// The hub's method failed.
    #[error("{method} failed: {error}")]
    Invocation {
        /// The method.
        method: String,
        /// The hub's error.
        error: String,
    },
}
