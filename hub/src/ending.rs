//! Why a connection ends, and what its client is told.

use axum::extract::ws::{CloseFrame, close_code};

use crate::protocol::ProtocolError;
use crate::protocol::record::{Encoding, Record};

/// The reason of an end. The first one counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// The client has closed the socket, or the network did.
    Gone,
    /// The client has said goodbye.
    Farewell,
    /// The hub shuts down; the client may come back, to another pod.
    Draining,
    /// The client did not read what was sent to it.
    SlowConsumer,
    /// Nothing came from the client for too long, not even a ping.
    Silent,
    /// What the client sent is not of the protocol.
    Protocol(ProtocolError),
}

impl Ending {
    /// The SignalR close message, if the client has to be told.
    pub fn record(&self, encoding: Encoding) -> Option<Record> {
        match self {
            Self::Gone | Self::Farewell => None,
            Self::Draining => Some(encoding.close(None, true)),
            Self::SlowConsumer => Some(
                encoding.close(Some("You read too slowly; messages were lost to you. Connect again."), true),
            ),
            Self::Silent => Some(encoding.close(Some("Nothing was heard of you for too long."), true)),
            Self::Protocol(error) => Some(encoding.close(Some(&error.to_string()), false)),
        }
    }

    /// The WebSocket close frame (RFC 6455, 7.4.1), for clients that do not speak SignalR.
    pub fn frame(&self) -> CloseFrame {
        let code = match self {
            Self::Gone | Self::Farewell => close_code::NORMAL,
            Self::Draining => close_code::AWAY,
            Self::SlowConsumer | Self::Silent => close_code::POLICY,
            Self::Protocol(ProtocolError::TooLarge { .. }) => close_code::SIZE,
            Self::Protocol(_) => close_code::PROTOCOL,
        };
        CloseFrame { code, reason: self.name().into() }
    }

    /// In one or two words, for logs and close frames.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Gone => "client gone",
            Self::Farewell => "client left",
            Self::Draining => "hub shuts down",
            Self::SlowConsumer => "slow consumer",
            Self::Silent => "client silent",
            Self::Protocol(ProtocolError::TooLarge { .. }) => "message too large",
            Self::Protocol(_) => "protocol error",
        }
    }
}
