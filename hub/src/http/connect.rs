//! `GET /hub`: a client connects over one of the three transports (`TransportProtocols.md`), to this hub or,
//! by way of it, to the hub that has its connection.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::Response;

use super::refusals::{in_use, refuse, refused, unknown, without_token};
use super::services::{ConnectQuery, RequestServices, is_fresh};
use crate::guards::ClientIdentity;
use crate::metrics::RefusedRequest;
use crate::outbox::CloseReason;
use crate::session::{Found, Kind};
use crate::token::{ConnectionId, Token};
use crate::transports::{long_polling, server_sent_events, stateful_websocket};
use crate::websocket::{self, NotUpgradable};

/// The transport that a request asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Transport {
    WebSocket,
    ServerSentEvents,
    LongPolling,
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
            Self::ServerSentEvents
        } else {
            Self::LongPolling
        }
    }
}

/// `GET /hub`: serves a WebSocket, the stream of events, or a poll.
pub(super) async fn connect(
    State(services): State<Arc<RequestServices>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    let identity = match services.guards.identify(request.headers(), query.access_token.as_deref()) {
        Ok(identity) => identity,
        Err(error) => return refuse(&error),
    };
    let transport = Transport::of(request.headers());
    let token = query.id.as_deref().and_then(|text| services.signer.read(text));
    let text = query.id.unwrap_or_default();
    match (transport, token) {
        (Transport::WebSocket, Some(token)) if token.stateful => {
            if token.owner != services.owner
                && !matches!(services.sessions.find(token.id), Found::Live(_))
                && (!services.handover.is_possible()
                    || services.forwarder.is_reachable(&token, is_fresh(&token)).await)
            {
                return services.forwarder.forward(&text, &token, request).await;
            }
            resume(services, address, identity, &token, request).await
        }
        // Without stateful reconnect, a WebSocket needs no state of the negotiation, and any hub can serve
        // it. It is therefore accepted without a token, too, or with the token of a hub that has another key.
        (Transport::WebSocket, token) => {
            if token.is_some_and(|token| services.has(token.id)) {
                let text = "this connection has a WebSocket or another transport already: negotiate anew\n";
                return in_use(text);
            }
            websocket(services, address, identity, token.map(|token| token.id), request)
        }
        (_, None) if text.is_empty() => without_token(),
        (_, None) => unknown(),
        (_, Some(token)) if token.owner != services.owner => {
            services.forwarder.forward(&text, &token, request).await
        }
        (transport, Some(token)) => {
            let kind = if transport == Transport::ServerSentEvents {
                Kind::ServerSentEvents
            } else {
                Kind::LongPolling
            };
            let (session, is_new) = match services.session(address, identity, &token, kind) {
                Ok(found) => found,
                Err(response) => return *response,
            };
            match kind {
                Kind::ServerSentEvents if is_new => server_sent_events::serve(session),
                Kind::LongPolling => long_polling::serve(session, is_new).await,
                _ => in_use("this connection has another request already\n"),
            }
        }
    }
}

fn not_upgradable(error: NotUpgradable) -> Response {
    refused(RefusedRequest::NotWebSocket, StatusCode::BAD_REQUEST, format!("{error}\n"))
}

fn websocket(
    services: Arc<RequestServices>,
    address: SocketAddr,
    identity: ClientIdentity,
    id: Option<ConnectionId>,
    mut request: Request,
) -> Response {
    let response = match websocket::accept(request.headers()) {
        Ok(response) => response,
        Err(error) => return not_upgradable(error),
    };
    let admission =
        match services.connections.admit(id.unwrap_or_else(ConnectionId::random), identity, address.ip()) {
            Ok(admission) => admission,
            Err(error) => return refuse(&error),
        };
    let upgrade = hyper::upgrade::on(&mut request);
    // The request is freed before the connection begins.
    drop(request);
    tokio::spawn(async move {
        let Some((socket, early)) = upgrade.await.ok().and_then(websocket::socket_of) else {
            return admission.outbox.end(CloseReason::Gone);
        };
        let outbox = Arc::clone(&admission.outbox);
        let mut connection = Box::new(services.runner.connection(admission));
        let (reason, socket) = websocket::serve(socket, early, &outbox, &mut *connection).await;
        // The client leaves its rooms now, while it may still be reading its last messages.
        let admission = connection.end(&reason);
        socket.close(&outbox, &reason, services.linger).await;
        drop(admission);
    });
    response
}

/// Serves a WebSocket of a connection with stateful reconnect: the first one, or a later one, also if another
/// hub has the connection.
async fn resume(
    services: Arc<RequestServices>,
    address: SocketAddr,
    identity: ClientIdentity,
    token: &Token,
    mut request: Request,
) -> Response {
    let response = match websocket::accept(request.headers()) {
        Ok(response) => response,
        Err(error) => return not_upgradable(error),
    };
    let is_elsewhere = match services.sessions.find(token.id) {
        Found::Live(_) => false,
        Found::Ended => true,
        Found::Nothing => token.owner != services.owner,
    };
    let session = if is_elsewhere {
        let admission = match services.connections.admit(token.id, identity, address.ip()) {
            Ok(admission) => admission,
            Err(error) => return refuse(&error),
        };
        // The future is boxed, because hardly any request needs it.
        let Some(session) = Box::pin(services.handover.take_over(admission)).await else { return unknown() };
        session
    } else {
        match services.session(address, identity, token, Kind::Stateful) {
            Ok((session, _)) => session,
            Err(response) => return *response,
        }
    };
    let upgrade = hyper::upgrade::on(&mut request);
    tokio::spawn(async move {
        let Some((socket, early)) = upgrade.await.ok().and_then(websocket::socket_of) else { return };
        stateful_websocket::serve(socket, early, session, services.linger).await;
    });
    response
}
