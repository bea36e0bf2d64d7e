//! SignalR's requests (`TransportProtocols.md`): negotiation, the three transports, and the way to the hub whose they are.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use axum::Json;
use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use signalr::error::ProtocolError;
use signalr::negotiate::Negotiation;

use crate::connection::Conversation;
use crate::ending::Ending;
use crate::forward;
use crate::guards::{Identity, Refusal};
use crate::handover;
use crate::hub::Hub;
use crate::metrics::RefusedRequest;
use crate::session::{Found, Kind, Session, Sessions};
use crate::token::{ConnectionId, Token};
use crate::transports::{events, polls, resumable};
use crate::websocket::{self, NotUpgradable};

/// A token that is older does not begin a connection any more.
const FRESH: Duration = Duration::from_secs(45);

#[derive(Deserialize)]
pub(super) struct ConnectQuery {
    /// The connection token.
    id: Option<String>,
    /// The client's own token: browsers cannot send headers with a WebSocket.
    access_token: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct NegotiateQuery {
    #[serde(default)]
    negotiate_version: u32,
    #[serde(default)]
    use_stateful_reconnect: bool,
    #[serde(rename = "access_token")]
    access_token: Option<String>,
}

/// A refusal as an answer.
pub(super) fn refuse(hub: &Hub, refusal: &Refusal) -> Response {
    hub.metrics.refused(refusal);
    let mut response = (refusal.status(), format!("{refusal}\n")).into_response();
    if matches!(refusal, Refusal::Token(_)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

/// `POST /hub/negotiate`. Nothing is kept for it.
pub(super) async fn negotiate(
    State(hub): State<Arc<Hub>>,
    Query(query): Query<NegotiateQuery>,
    headers: HeaderMap,
) -> Response {
    if let Err(refusal) = hub.guards.identify(&headers, query.access_token.as_deref()) {
        return refuse(&hub, &refusal);
    }
    let token = Token {
        id: ConnectionId::random(),
        owner: hub.owner,
        issued: now(),
        stateful: query.use_stateful_reconnect && query.negotiate_version > 0,
    };
    let signed = hub.signer.sign(&token);
    Json(Negotiation::new(query.negotiate_version, token.id.to_string(), signed, token.stateful))
        .into_response()
}

fn is_fresh(token: &Token) -> bool {
    now().saturating_sub(token.issued) < FRESH
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    WebSocket,
    Events,
    Polls,
}

impl Transport {
    fn of(headers: &HeaderMap) -> Self {
        let has = |name, value: &str| {
            headers
                .get(name)
                .and_then(|v| v.to_str().ok())
                .is_some_and(|v| v.to_ascii_lowercase().contains(value))
        };
        if has(header::UPGRADE, "websocket") {
            Self::WebSocket
        } else if has(header::ACCEPT, "text/event-stream") {
            Self::Events
        } else {
            Self::Polls
        }
    }
}

/// `GET /hub`: a WebSocket, the stream of events, or a poll.
pub(super) async fn connect(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    let identity = match hub.guards.identify(request.headers(), query.access_token.as_deref()) {
        Ok(identity) => identity,
        Err(refusal) => return refuse(&hub, &refusal),
    };
    let transport = Transport::of(request.headers());
    let token = query.id.as_deref().and_then(|text| hub.signer.read(text));
    let text = query.id.unwrap_or_default();
    match (transport, token) {
        (Transport::WebSocket, Some(token)) if token.stateful => {
            if token.owner != hub.owner
                && !matches!(hub.sessions.find(token.id), Found::Live(_))
                && (!handover::is_possible(&hub) || forward::is_there(&hub, &token, is_fresh(&token)).await)
            {
                return forward::pass_on(&hub, &text, &token, request).await;
            }
            resume(hub, address, identity, &token, request).await
        }
        // A WebSocket needs no memory: whichever hub gets it serves it. So one without a token, or with that of a hub with
        // another key, is as good.
        (Transport::WebSocket, token) => {
            if token.is_some_and(|token| hub.has(token.id)) {
                let text = "this connection has a WebSocket or another transport already: negotiate anew\n";
                return in_use(&hub, text);
            }
            websocket(hub, address, identity, token.map(|token| token.id), request)
        }
        (_, None) if text.is_empty() => without_token(&hub),
        (_, None) => unknown(&hub),
        (_, Some(token)) if token.owner != hub.owner => forward::pass_on(&hub, &text, &token, request).await,
        (transport, Some(token)) => {
            let kind = if transport == Transport::Events { Kind::Events } else { Kind::Polls };
            let (session, is_new) = match session(&hub, address, identity, &token, kind) {
                Ok(found) => found,
                Err(response) => return *response,
            };
            match kind {
                Kind::Events if is_new => events::serve(session),
                Kind::Polls => polls::serve(session, is_new).await,
                _ => in_use(&hub, "this connection has another request already\n"),
            }
        }
    }
}

/// The session of a token, or a new one.
fn session(
    hub: &Arc<Hub>,
    address: SocketAddr,
    identity: Identity,
    token: &Token,
    kind: Kind,
) -> Result<(Arc<Session>, bool), Box<Response>> {
    match hub.sessions.find(token.id) {
        Found::Live(session) if session.kind == kind => Ok((session, false)),
        Found::Live(_) => Err(Box::new(in_use(hub, "this connection has another transport\n"))),
        // Who polls is told so that the client stops.
        Found::Ended if kind == Kind::Polls => Err(Box::new(StatusCode::NO_CONTENT.into_response())),
        Found::Nothing if is_fresh(token) => {
            let admission =
                hub.admit(token.id, identity, address.ip()).map_err(|r| Box::new(refuse(hub, &r)))?;
            Ok((Sessions::begin(hub, admission, kind), true))
        }
        Found::Ended | Found::Nothing => Err(Box::new(unknown(hub))),
    }
}

fn in_use(hub: &Hub, text: &'static str) -> Response {
    hub.metrics.refused(RefusedRequest::ConnectionInUse);
    (StatusCode::CONFLICT, text).into_response()
}

fn unknown(hub: &Hub) -> Response {
    hub.metrics.refused(RefusedRequest::UnknownConnection);
    let text = "there is no such connection: negotiate anew. Hubs know each other's connections only if all have the same key \
        (HUB_TOKEN_KEY_FILE)\n";
    (StatusCode::NOT_FOUND, text).into_response()
}

fn without_token(hub: &Hub) -> Response {
    hub.metrics.refused(RefusedRequest::NoConnectionToken);
    (StatusCode::BAD_REQUEST, "the connection token is missing: negotiate, and give it as `id`\n")
        .into_response()
}

fn not_upgradable(hub: &Hub, error: NotUpgradable) -> Response {
    hub.metrics.refused(RefusedRequest::NotWebSocket);
    (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response()
}

fn websocket(
    hub: Arc<Hub>,
    address: SocketAddr,
    identity: Identity,
    id: Option<ConnectionId>,
    mut request: Request,
) -> Response {
    let response = match websocket::accept(request.headers()) {
        Ok(response) => response,
        Err(error) => return not_upgradable(&hub, error),
    };
    let admission = match hub.admit(id.unwrap_or_else(ConnectionId::random), identity, address.ip()) {
        Ok(admission) => admission,
        Err(refusal) => return refuse(&hub, &refusal),
    };
    let upgrade = hyper::upgrade::on(&mut request);
    // Everything of the request goes before the connection begins.
    drop(request);
    tokio::spawn(async move {
        let Some((socket, early)) = upgrade.await.ok().and_then(websocket::socket_of) else {
            return admission.outbox.end(Ending::Gone);
        };
        let outbox = Arc::clone(&admission.outbox);
        let mut conversation = Box::new(Conversation::new(admission, false, None));
        let (ending, rest) = websocket::serve(socket, early, &outbox, &mut *conversation).await;
        // The rooms are left now, while the client may still be busy with the last words.
        let admission = conversation.end(&ending);
        rest.farewell(&outbox, &ending, hub.timing.linger).await;
        drop(admission);
    });
    response
}

/// A WebSocket of a connection with stateful reconnect: the first, or a later one, also of one that another hub had.
async fn resume(
    hub: Arc<Hub>,
    address: SocketAddr,
    identity: Identity,
    token: &Token,
    mut request: Request,
) -> Response {
    let response = match websocket::accept(request.headers()) {
        Ok(response) => response,
        Err(error) => return not_upgradable(&hub, error),
    };
    let is_elsewhere = match hub.sessions.find(token.id) {
        Found::Live(_) => false,
        Found::Ended => true,
        Found::Nothing => token.owner != hub.owner,
    };
    let session = if is_elsewhere {
        let admission = match hub.admit(token.id, identity, address.ip()) {
            Ok(admission) => admission,
            Err(refusal) => return refuse(&hub, &refusal),
        };
        // Boxed, for hardly any request comes to this.
        let Some(session) = Box::pin(handover::take(&hub, admission)).await else { return unknown(&hub) };
        session
    } else {
        match session(&hub, address, identity, token, Kind::Stateful) {
            Ok((session, _)) => session,
            Err(response) => return *response,
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Some((socket, early)) = upgrade.await.ok().and_then(websocket::socket_of) else { return };
        resumable::serve(socket, early, session, hub.timing.linger).await;
    });
    response
}

/// `POST /hub`: what a client says that cannot say it over its transport.
pub(super) async fn send(
    State(hub): State<Arc<Hub>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    let (token, session) = match own_session(&hub, &query, request.headers(), Some(address)) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let Some(session) = session else {
        return forward::pass_on(&hub, query.id.as_deref().unwrap_or_default(), &token, request).await;
    };
    // Records have a bound of their own; this one is for those that come together.
    let Ok(bytes) = to_bytes(request.into_body(), 2 * hub.settings.most_message_bytes + 1024).await else {
        let error = ProtocolError::TooLarge { most_bytes: hub.settings.most_message_bytes };
        session.outbox.end(Ending::Protocol(error));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // With any other answer, clients take the connection for ended.
    if session.hear(bytes).await { StatusCode::OK.into_response() } else { unknown(&hub) }
}

/// `DELETE /hub`: a client that polls says goodbye.
pub(super) async fn end(
    State(hub): State<Arc<Hub>>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    match own_session(&hub, &query, request.headers(), None) {
        Ok((_, Some(session))) => {
            session.outbox.end(Ending::Farewell);
            (StatusCode::ACCEPTED, Body::empty()).into_response()
        }
        Ok((token, None)) => {
            forward::pass_on(&hub, query.id.as_deref().unwrap_or_default(), &token, request).await
        }
        Err(response) => *response,
    }
}

/// The session that a request is for; with `None`, it is another hub's. With an address, a new one may begin: Python's signalrcore
/// says its handshake before it polls, as negotiation has made the connection for it.
fn own_session(
    hub: &Arc<Hub>,
    query: &ConnectQuery,
    headers: &HeaderMap,
    begins_from: Option<SocketAddr>,
) -> Result<(Token, Option<Arc<Session>>), Box<Response>> {
    let identified = hub.guards.identify(headers, query.access_token.as_deref());
    let identity = identified.map_err(|refusal| Box::new(refuse(hub, &refusal)))?;
    let Some(text) = query.id.as_deref().filter(|text| !text.is_empty()) else {
        return Err(Box::new(without_token(hub)));
    };
    let token = hub.signer.read(text).ok_or_else(|| Box::new(unknown(hub)))?;
    if token.owner != hub.owner {
        return Ok((token, None));
    }
    match (hub.sessions.find(token.id), begins_from) {
        (Found::Live(session), _) => Ok((token, Some(session))),
        (Found::Nothing, Some(address)) if !token.stateful => {
            let (session, _) = session(hub, address, identity, &token, Kind::Polls)?;
            Ok((token, Some(session)))
        }
        _ => Err(Box::new(unknown(hub))),
    }
}
