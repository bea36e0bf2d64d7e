//! The reasons why connections end, and the last messages to their clients.

use signalr::encoding::Encoding;
use signalr::error::ProtocolError;
use signalr::handshake::{self, HandshakeError};
use signalr::record::Record;

use crate::protocol::frame::FrameError;

/// The reason why a connection ends. The first reason counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CloseReason {
    /// The client closed the socket, or the network failed.
    Gone,
    /// The client sent a close message.
    ClientClosed,
    /// The hub shuts down; the client may reconnect, to another pod.
    Draining,
    /// The connection continues on another hub.
    HandedOver,
    /// Another hub has far fewer clients; the client may reconnect, to that one.
    Rebalanced,
    /// The client reads more slowly than messages arrive for it.
    SlowConsumer,
    /// The client sent nothing for too long, not even a ping.
    Silent,
    /// The client's token has expired.
    Expired,
    /// The client's handshake failed.
    Handshake(HandshakeError),
    /// The client violated SignalR's protocol.
    Protocol(ProtocolError),
    /// The client violated the WebSocket protocol.
    Frame(FrameError),
}

/// The status codes of RFC 6455, section 7.4.1.
mod code {
    pub(super) const NORMAL: u16 = 1000;
    pub(super) const AWAY: u16 = 1001;
    pub(super) const PROTOCOL: u16 = 1002;
    pub(super) const TEXT: u16 = 1007;
    pub(super) const POLICY: u16 = 1008;
    pub(super) const SIZE: u16 = 1009;
}

impl CloseReason {
    /// The last record for the client, if it needs one.
    pub fn record(&self, encoding: Encoding) -> Option<Record> {
        let close = |error, allow_reconnect| Some(encoding.close(error, allow_reconnect));
        match self {
            Self::Gone | Self::ClientClosed | Self::HandedOver | Self::Frame(_) => None,
            Self::Draining | Self::Rebalanced => close(None, true),
            Self::SlowConsumer => {
                close(Some("You read too slowly; messages were lost to you. Connect again."), true)
            }
            Self::Silent => close(Some("Nothing was heard of you for too long."), true),
            Self::Expired => close(Some("Your token has expired; connect again with a new one."), true),
            Self::Handshake(error) => Some(handshake::refused(error)),
            Self::Protocol(error) => close(Some(&error.to_string()), false),
        }
    }

    /// The status code of the WebSocket's close frame, for clients that do not speak SignalR.
    pub fn code(&self) -> u16 {
        match self {
            Self::Gone | Self::ClientClosed => code::NORMAL,
            Self::Draining
            | Self::HandedOver
            | Self::Rebalanced
            | Self::Handshake(HandshakeError::ShuttingDown) => code::AWAY,
            Self::SlowConsumer | Self::Silent | Self::Expired => code::POLICY,
            Self::Protocol(ProtocolError::TooLarge { .. }) => code::SIZE,
            Self::Frame(FrameError::Text) => code::TEXT,
            Self::Handshake(_) | Self::Protocol(_) | Self::Frame(_) => code::PROTOCOL,
        }
    }

    /// A short name, for logs and close frames.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gone => "client gone",
            Self::ClientClosed => "client left",
            Self::Draining => "hub shuts down",
            Self::HandedOver => "moved to another hub",
            Self::Rebalanced => "hub has too many clients",
            Self::SlowConsumer => "slow consumer",
            Self::Silent => "client silent",
            Self::Expired => "token expired",
            Self::Handshake(_) => "handshake failed",
            Self::Protocol(ProtocolError::TooLarge { .. }) => "message too large",
            Self::Protocol(_) => "protocol error",
            Self::Frame(_) => "WebSocket error",
        }
    }
}
