//! `POST /hub` and `DELETE /hub`: what a client says that cannot say it over its transport.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use signalr::error::ProtocolError;

use super::entrance::{ConnectQuery, Entrance};
use super::refusals::unknown;
use crate::outbox::Ending;

/// `POST /hub`: what a client says that cannot say it over its transport.
pub(super) async fn send(
    State(entrance): State<Arc<Entrance>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    let (token, session) = match entrance.own_session(&query, request.headers(), Some(address)) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let Some(session) = session else {
        return entrance.forwarder.pass_on(query.id.as_deref().unwrap_or_default(), &token, request).await;
    };
    // Records have a bound of their own; this one is for those that come together.
    let Ok(bytes) = to_bytes(request.into_body(), 2 * entrance.most_message_bytes + 1024).await else {
        let error = ProtocolError::TooLarge { most_bytes: entrance.most_message_bytes };
        session.outbox.end(Ending::Protocol(error));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // With any other answer, clients take the connection for ended.
    if session.hear(bytes).await { StatusCode::OK.into_response() } else { unknown() }
}

/// `DELETE /hub`: a client that polls says goodbye.
pub(super) async fn end(
    State(entrance): State<Arc<Entrance>>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    match entrance.own_session(&query, request.headers(), None) {
        Ok((_, Some(session))) => {
            session.outbox.end(Ending::Farewell);
            (StatusCode::ACCEPTED, Body::empty()).into_response()
        }
        Ok((token, None)) => {
            entrance.forwarder.pass_on(query.id.as_deref().unwrap_or_default(), &token, request).await
        }
        Err(response) => *response,
    }
}
