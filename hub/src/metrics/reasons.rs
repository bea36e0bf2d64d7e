//! The values of the label `reason`: few, and known from the start.

use std::fmt;
use std::hash::Hash;

use prometheus_client::encoding::{EncodeLabelSet, LabelSetEncoder};
use signalr::error::ProtocolError;

use crate::guards::Refusal;
use crate::outbox::Ending;
use crate::protocol::methods::CallError;

/// A closed set of reasons.
pub(super) trait Reason:
    Clone + fmt::Debug + Eq + Hash + EncodeLabelSet + Send + Sync + 'static
{
    /// All of them.
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
    /// Why a connection ended: an [`Ending`] without its details.
    pub(super) enum Disconnect {
        Gone = "gone",
        Farewell = "farewell",
        Draining = "draining",
        Moved = "moved",
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

impl From<&Ending> for Disconnect {
    fn from(ending: &Ending) -> Self {
        match ending {
            Ending::Gone => Self::Gone,
            Ending::Farewell => Self::Farewell,
            Ending::Draining => Self::Draining,
            Ending::Moved => Self::Moved,
            Ending::Rebalanced => Self::Rebalanced,
            Ending::SlowConsumer => Self::SlowConsumer,
            Ending::Silent => Self::Silent,
            Ending::Expired => Self::Expired,
            Ending::Handshake(_) => Self::Handshake,
            Ending::Protocol(ProtocolError::TooLarge { .. }) => Self::TooLarge,
            Ending::Protocol(_) => Self::Protocol,
            Ending::Frame(_) => Self::Frame,
        }
    }
}

reasons! {
    /// Why a request of a client was refused.
    pub enum RefusedRequest {
        /// It comes from a page of an origin that is not allowed.
        Origin = "origin",
        /// It has no valid token.
        Token = "token",
        /// The key of tokens cannot be read.
        TokenKey = "token_key",
        /// The hub has as many connections as it takes.
        TooManyConnections = "too_many_connections",
        /// Too many connections a second came from its address.
        TooManyFromAddress = "too_many_from_address",
        /// It is no WebSocket handshake, although it asks for an upgrade.
        NotWebSocket = "not_websocket",
        /// It needs a connection token and has none.
        NoConnectionToken = "no_connection_token",
        /// Its connection does not exist, or exists no longer.
        UnknownConnection = "unknown_connection",
        /// Its connection has another request or another transport.
        ConnectionInUse = "connection_in_use",
        /// The hub that had its connection cannot be reached.
        HubGone = "hub_gone",
    }
}

impl From<&Refusal> for RefusedRequest {
    fn from(refusal: &Refusal) -> Self {
        match refusal {
            Refusal::Origin(_) => Self::Origin,
            Refusal::Token(_) => Self::Token,
            Refusal::Key(_) => Self::TokenKey,
            Refusal::Full => Self::TooManyConnections,
            Refusal::TooFast => Self::TooManyFromAddress,
        }
    }
}

reasons! {
    /// Why a call failed: a [`CallError`] without its details.
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
            CallError::TooManyQuestions(_) => Self::TooManyAnswersDue,
            CallError::Busy => Self::ClientBusy,
            CallError::Left => Self::ClientLeft,
            CallError::NoAnswer(_) => Self::ClientSilent,
            CallError::Theirs(_) => Self::ClientError,
            CallError::NoValue => Self::ClientResult,
            CallError::HubGone => Self::HubGone,
            CallError::Ends => Self::ConnectionEnded,
            CallError::NotSent(_) => Self::NotSent,
        }
    }
}
