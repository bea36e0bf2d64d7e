//! `POST /hub/negotiate`: gives a client a connection token.

use std::sync::Arc;

use axum::Json;
use axum::extract::{Query, State};
use axum::http::HeaderMap;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use signalr::negotiate::Negotiation;

use super::refusals::refuse;
use super::services::{RequestServices, now};
use crate::token::{ConnectionId, Token};

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

/// `POST /hub/negotiate`: gives a client a connection token, for which the hub keeps no state.
pub(super) async fn negotiate(
    State(services): State<Arc<RequestServices>>,
    Query(query): Query<NegotiateQuery>,
    headers: HeaderMap,
) -> Response {
    if let Err(error) = services.guards.identify(&headers, query.access_token.as_deref()) {
        return refuse(&error);
    }
    let token = Token {
        id: ConnectionId::random(),
        owner: services.owner,
        issued: now(),
        stateful: query.use_stateful_reconnect && query.negotiate_version > 0,
    };
    let signed = services.signer.sign(&token);
    Json(Negotiation::new(query.negotiate_version, token.id.to_string(), signed, token.stateful))
        .into_response()
}
