//! The hub's HTTP surface.

use std::sync::Arc;

use axum::Json;
use axum::Router;
use axum::extract::ws::WebSocketUpgrade;
use axum::extract::{Query, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use serde::Deserialize;

use crate::hub::Hub;
use crate::protocol::MAX_RECORD_BYTES;
use crate::protocol::negotiate::Negotiation;
use crate::{connection, page};

/// The most bytes of one WebSocket message, which may hold several records.
const MAX_MESSAGE: usize = 2 * MAX_RECORD_BYTES;

/// Read at once from a client. It is kept for each connection, and most messages are small.
const READ_BUFFER: usize = 2 * 1024;

/// All routes.
pub fn router(hub: Arc<Hub>) -> Router {
    Router::new()
        .route("/hub", get(connect))
        .route("/hub/negotiate", post(negotiate))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(hub)
        .merge(page::router())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct NegotiateQuery {
    #[serde(default)]
    negotiate_version: u32,
}

async fn negotiate(Query(query): Query<NegotiateQuery>) -> Response {
    let answer = Json(Negotiation::new(query.negotiate_version, new_connection_id()));
    ([(header::CACHE_CONTROL, "no-store")], answer).into_response()
}

#[derive(Deserialize)]
struct ConnectQuery {
    id: Option<String>,
}

async fn connect(
    State(hub): State<Arc<Hub>>,
    Query(query): Query<ConnectQuery>,
    upgrade: WebSocketUpgrade,
) -> Response {
    let id = query.id.filter(|id| is_connection_id(id)).unwrap_or_else(new_connection_id);
    upgrade
        .max_message_size(MAX_MESSAGE)
        .max_frame_size(MAX_MESSAGE)
        .read_buffer_size(READ_BUFFER)
        .on_upgrade(move |socket| connection::serve(hub, socket, id))
}

/// 128 random bits, in hexadecimal.
fn new_connection_id() -> String {
    format!("{:032x}", rand::random::<u128>())
}

/// Whether some pod may have made this id: it is logged, so nothing else gets through.
fn is_connection_id(id: &str) -> bool {
    id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit())
}

async fn ready(State(hub): State<Arc<Hub>>) -> (StatusCode, String) {
    match hub.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn metrics(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], hub.scrape())
}
