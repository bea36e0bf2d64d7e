//! The parts of the hub that SignalR's requests use, and the look-up of sessions that requests share.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;

use super::forward::Forwarder;
use super::refusals::{in_use, refuse, unknown, without_token};
use crate::admission::Connections;
use crate::audiences::Audiences;
use crate::connection::Runner;
use crate::guards::{ClientIdentity, Guards};
use crate::handover::Handover;
use crate::session::{Found, Kind, Session, Sessions};
use crate::token::{ConnectionId, Owner, Signer, Token};

/// The age at which a token can no longer begin a connection.
const FRESH: Duration = Duration::from_secs(45);

/// The parts of the hub that SignalR's requests use.
#[derive(Debug)]
pub(super) struct RequestServices {
    pub(super) guards: Arc<Guards>,
    pub(super) signer: Arc<Signer>,
    pub(super) owner: Owner,
    pub(super) connections: Arc<Connections>,
    pub(super) sessions: Arc<Sessions>,
    pub(super) audiences: Arc<Audiences>,
    pub(super) runner: Arc<Runner>,
    pub(super) handover: Arc<Handover>,
    pub(super) forwarder: Forwarder,
    /// The time for a client to read its last messages.
    pub(super) linger: Duration,
    /// The most bytes of one record.
    pub(super) most_message_bytes: usize,
}

#[derive(Deserialize)]
pub(super) struct ConnectQuery {
    /// The connection token.
    pub(super) id: Option<String>,
    /// The client's own token: browsers cannot send headers with a WebSocket.
    pub(super) access_token: Option<String>,
}

impl RequestServices {
    /// True if the connection is on this hub, and has a client.
    pub(super) fn has(&self, id: ConnectionId) -> bool {
        matches!(self.sessions.find(id), Found::Live(_)) || self.audiences.is_local(&id.to_string())
    }

    /// The session of a token, or a new one; true with a new one.
    pub(super) fn session(
        &self,
        address: SocketAddr,
        identity: ClientIdentity,
        token: &Token,
        kind: Kind,
    ) -> Result<(Arc<Session>, bool), Box<Response>> {
        match self.sessions.find(token.id) {
            Found::Live(session) if session.kind == kind => Ok((session, false)),
            Found::Live(_) => Err(Box::new(in_use("this connection has another transport\n"))),
            // This status makes a polling client stop.
            Found::Ended if kind == Kind::LongPolling => {
                Err(Box::new(StatusCode::NO_CONTENT.into_response()))
            }
            Found::Nothing if is_fresh(token) => {
                let admission = self
                    .connections
                    .admit(token.id, identity, address.ip())
                    .map_err(|error| Box::new(refuse(&error)))?;
                Ok((self.runner.begin(admission, kind), true))
            }
            Found::Ended | Found::Nothing => Err(Box::new(unknown())),
        }
    }

    /// The session that a request is for; `None` if another hub has it. With an address, a new session may
    /// begin: Python's signalrcore sends its handshake before its first poll, as if negotiation had created
    /// the connection.
    pub(super) fn own_session(
        &self,
        query: &ConnectQuery,
        headers: &HeaderMap,
        begins_from: Option<SocketAddr>,
    ) -> Result<(Token, Option<Arc<Session>>), Box<Response>> {
        let identified = self.guards.identify(headers, query.access_token.as_deref());
        let identity = identified.map_err(|error| Box::new(refuse(&error)))?;
        let Some(text) = query.id.as_deref().filter(|text| !text.is_empty()) else {
            return Err(Box::new(without_token()));
        };
        let token = self.signer.read(text).ok_or_else(|| Box::new(unknown()))?;
        if token.owner != self.owner {
            return Ok((token, None));
        }
        match (self.sessions.find(token.id), begins_from) {
            (Found::Live(session), _) => Ok((token, Some(session))),
            (Found::Nothing, Some(address)) if !token.stateful => {
                let (session, _) = self.session(address, identity, &token, Kind::LongPolling)?;
                Ok((token, Some(session)))
            }
            _ => Err(Box::new(unknown())),
        }
    }
}

pub(super) fn is_fresh(token: &Token) -> bool {
    now().saturating_sub(token.issued) < FRESH
}

/// The current time, since 1970.
pub(super) fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}
