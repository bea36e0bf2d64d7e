//! The values of the label `reason`: few, and all known at the start.

use std::fmt;
use std::hash::Hash;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use signalr::error::ProtocolError;

use crate::guards::AdmissionError;
use crate::outbox::CloseReason;
use crate::protocol::methods::CallError;

/// A closed set of reasons.
pub(super) trait Reason:
    Clone + fmt::Debug + Eq + Hash + EncodeLabelSet + Send + Sync + 'static
{
    /// All reasons.
    const ALL: &'static [Self];
}

/// Declares a set of reasons with their labels.
macro_rules! reasons {
    (
        $(#[$about:meta])*
        $visibility:vis enum $name:ident { $($(#[$meaning:meta])* $reason:ident = $label:literal,)+ }
    ) => {
        $(#[$about])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        $visibility enum $name { $($(#[$meaning])* $reason,)+ }

        impl Reason for $name {
            const ALL: &'static [Self] = &[$(Self::$reason),+];
        }

        impl EncodeLabelSet for $name {
            fn encode(&self, encoder: &mut LabelSetEncoder) -> fmt::Result {
                let label = match self {
                    $(Self::$reason => $label,)+
                };
                [("reason", label)].encode(encoder)
            }
        }
    };
}

reasons! {
    /// The reason why a connection ended: a [`CloseReason`] without its details.
    pub(super) enum Disconnect {
        Gone = "gone",
        ClientClosed = "farewell",
        Draining = "draining",
        HandedOver = "moved",
        Rebalanced = "rebalanced",
        SlowConsumer = "slow_consumer",
        Silent = "silent",
        Expired = "expired",
        Handshake = "handshake",
        Protocol = "protocol",
        TooLarge = "too_large",
        Frame = "frame",
    }
}

impl From<&CloseReason> for Disconnect {
    fn from(reason: &CloseReason) -> Self {
        match reason {
            CloseReason::Gone => Self::Gone,
            CloseReason::ClientClosed => Self::ClientClosed,
            CloseReason::Draining => Self::Draining,
            CloseReason::HandedOver => Self::HandedOver,
            CloseReason::Rebalanced => Self::Rebalanced,
            CloseReason::SlowConsumer => Self::SlowConsumer,
            CloseReason::Silent => Self::Silent,
            CloseReason::Expired => Self::Expired,
            CloseReason::Handshake(_) => Self::Handshake,
            CloseReason::Protocol(ProtocolError::TooLarge { .. }) => Self::TooLarge,
            CloseReason::Protocol(_) => Self::Protocol,
            CloseReason::Frame(_) => Self::Frame,
        }
    }
}

reasons! {
    /// The reason why a request of a client was refused.
    pub enum RefusedRequest {
        /// The request comes from a page of an origin that is not allowed.
        Origin = "origin",
        /// The request has no valid token.
        Token = "token",
        /// The key of tokens cannot be read.
        TokenKey = "token_key",
        /// The hub has as many connections as it may.
        TooManyConnections = "too_many_connections",
        /// The client's address opened too many connections in a second.
        TooManyFromAddress = "too_many_from_address",
        /// The request asks for an upgrade, but is not a WebSocket handshake.
        NotWebSocket = "not_websocket",
        /// The request needs a connection token and has none.
        NoConnectionToken = "no_connection_token",
        /// The request's connection does not exist, or no longer.
        UnknownConnection = "unknown_connection",
        /// The request's connection has another request or another transport.
        ConnectionInUse = "connection_in_use",
        /// The hub that has the request's connection cannot be reached.
        HubGone = "hub_gone",
    }
}

impl From<&AdmissionError> for RefusedRequest {
    fn from(error: &AdmissionError) -> Self {
        match error {
            AdmissionError::Origin(_) => Self::Origin,
            AdmissionError::Token(_) => Self::Token,
            AdmissionError::Key(_) => Self::TokenKey,
            AdmissionError::Full => Self::TooManyConnections,
            AdmissionError::TooFast => Self::TooManyFromAddress,
        }
    }
}

reasons! {
    /// The reason why an invocation failed: a [`CallError`] without its details.
    pub(super) enum FailedCall {
        UnknownMethod = "unknown_method",
        Arguments = "arguments",
        Name = "name",
        ReservedTarget = "reserved_target",
        Stream = "stream",
        NotJoined = "not_joined",
        MayNotJoin = "may_not_join",
        TooOften = "too_often",
        TooManyRooms = "too_many_rooms",
        TooManyStreams = "too_many_streams",
        StreamAborted = "stream_aborted",
        NoConnection = "no_connection",
        TooManyAnswersDue = "too_many_answers_due",
        ClientBusy = "client_busy",
        ClientLeft = "client_left",
        ClientSilent = "client_silent",
        ClientError = "client_error",
        ClientResult = "client_result",
        HubGone = "hub_gone",
        ConnectionEnded = "connection_ended",
        NotSent = "not_sent",
    }
}

impl From<&CallError> for FailedCall {
    fn from(error: &CallError) -> Self {
        match error {
            CallError::Unknown(_) => Self::UnknownMethod,
            CallError::Count { .. } | CallError::NotText(_) | CallError::Options { .. } => Self::Arguments,
            CallError::Name(_) => Self::Name,
            CallError::Reserved(_) => Self::ReservedTarget,
            CallError::NoStream(_) | CallError::NeedsStream(_) => Self::Stream,
            CallError::NotJoined(_) => Self::NotJoined,
            CallError::MayNotJoin(_) => Self::MayNotJoin,
            CallError::TooOften(_) => Self::TooOften,
            CallError::TooManyRooms(_) => Self::TooManyRooms,
            CallError::TooManyStreams(_) => Self::TooManyStreams,
            CallError::Aborted(_) => Self::StreamAborted,
            CallError::NoConnection(_) => Self::NoConnection,
            CallError::TooManyPending(_) => Self::TooManyAnswersDue,
            CallError::Busy => Self::ClientBusy,
            CallError::Left => Self::ClientLeft,
            CallError::NoAnswer(_) => Self::ClientSilent,
            CallError::ClientError(_) => Self::ClientError,
            CallError::InvalidResult => Self::ClientResult,
            CallError::HubGone => Self::HubGone,
            CallError::ShuttingDown => Self::ConnectionEnded,
            CallError::NotSent(_) => Self::NotSent,
        }
    }
}
