//! Responses that refuse a request.

use axum::Extension;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};

use crate::guards::AdmissionError;
use crate::metrics::RefusedRequest;

/// A response that refuses a request, and that carries the reason for which the refusal is counted.
pub(super) fn refused(reason: RefusedRequest, status: StatusCode, text: impl IntoResponse) -> Response {
    (status, Extension(reason), text).into_response()
}

/// The response for an admission error.
pub(super) fn refuse(error: &AdmissionError) -> Response {
    let mut response = refused(error.into(), error.status(), format!("{error}\n"));
    if matches!(error, AdmissionError::Token(_)) {
        response.headers_mut().insert(header::WWW_AUTHENTICATE, header::HeaderValue::from_static("Bearer"));
    }
    response
}

pub(super) fn unknown() -> Response {
    let text = "there is no such connection: negotiate anew. Hubs know each other's connections only if all have the same key \
        (HUB_TOKEN_KEY_FILE)\n";
    refused(RefusedRequest::UnknownConnection, StatusCode::NOT_FOUND, text)
}

pub(super) fn without_token() -> Response {
    let text = "the connection token is missing: negotiate, and give it as `id`\n";
    refused(RefusedRequest::NoConnectionToken, StatusCode::BAD_REQUEST, text)
}

pub(super) fn in_use(text: &'static str) -> Response {
    refused(RefusedRequest::ConnectionInUse, StatusCode::CONFLICT, text)
}
