//! `POST /hub` and `DELETE /hub`: the requests of clients whose transport carries data to the client alone.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, to_bytes};
use axum::extract::{ConnectInfo, Query, Request, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use signalr::error::ProtocolError;
use tokio::time::timeout;

use super::refusals::unknown;
use super::services::{ConnectQuery, RequestServices};
use crate::outbox::CloseReason;

/// `POST /hub`: data of a client whose transport carries data to the client alone.
pub(super) async fn send(
    State(services): State<Arc<RequestServices>>,
    ConnectInfo(address): ConnectInfo<SocketAddr>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    let (token, session) = match services.own_session(&query, request.headers(), Some(address)) {
        Ok(found) => found,
        Err(response) => return *response,
    };
    let Some(session) = session else {
        return services.forwarder.forward(query.id.as_deref().unwrap_or_default(), &token, request).await;
    };
    // Each record has a bound of its own; this is the bound of several records that come together.
    let Ok(bytes) = to_bytes(request.into_body(), 2 * services.most_message_bytes + 1024).await else {
        let error = ProtocolError::TooLarge { most_bytes: services.most_message_bytes };
        session.outbox.end(CloseReason::Protocol(error));
        return StatusCode::PAYLOAD_TOO_LARGE.into_response();
    };
    // At any other status, clients assume that the connection has ended.
    if session.receive(bytes).await { StatusCode::OK.into_response() } else { unknown() }
}

/// The time for a connection to leave its rooms, which a call that it waits for may delay.
const LEAVES: Duration = Duration::from_secs(5);

/// `DELETE /hub`: a long-polling client ends its connection. Once this is answered, the connection is gone.
pub(super) async fn end(
    State(services): State<Arc<RequestServices>>,
    Query(query): Query<ConnectQuery>,
    request: Request,
) -> Response {
    match services.own_session(&query, request.headers(), None) {
        Ok((_, Some(session))) => {
            session.outbox.end(CloseReason::ClientClosed);
            // The client fetches no last messages.
            session.close_sent.cancel();
            let _ = timeout(LEAVES, session.is_over.cancelled()).await;
            (StatusCode::ACCEPTED, Body::empty()).into_response()
        }
        Ok((token, None)) => {
            services.forwarder.forward(query.id.as_deref().unwrap_or_default(), &token, request).await
        }
        Err(response) => *response,
    }
}
