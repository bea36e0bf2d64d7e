//! The hub's HTTP surface.

mod signalr;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use crate::hub::Hub;
use crate::metrics::CONTENT_TYPE;
use crate::page;

/// All routes.
pub fn router(hub: Arc<Hub>) -> Router {
    let signalr = Router::new()
        .route("/hub", get(signalr::connect).post(signalr::send).delete(signalr::end))
        .route("/hub/negotiate", post(signalr::negotiate))
        .layer(middleware::from_fn_with_state(Arc::clone(&hub), cross_origin))
        .with_state(Arc::clone(&hub));
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(hub)
        .merge(signalr)
        .merge(page::router())
}

/// Answers browsers that ask what pages of other origins may do.
async fn cross_origin(State(hub): State<Arc<Hub>>, request: Request, next: Next) -> Response {
    // Only browsers send an origin; for all others there is nothing to keep.
    let is_asked = request.headers().contains_key(header::ORIGIN);
    let headers = if is_asked { request.headers().clone() } else { HeaderMap::new() };
    let mut response = if request.method() == Method::OPTIONS {
        match hub.guards.origins.check(&headers) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(refusal) => signalr::refuse(&hub, &refusal),
        }
    } else {
        next.run(request).await
    };
    hub.guards.origins.put_headers(&headers, response.headers_mut());
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

async fn ready(State(hub): State<Arc<Hub>>) -> (StatusCode, String) {
    match hub.ready() {
        Ok(()) => (StatusCode::OK, "ready\n".into()),
        Err(reason) => (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")),
    }
}

async fn metrics(State(hub): State<Arc<Hub>>) -> impl IntoResponse {
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], hub.scrape())
}
