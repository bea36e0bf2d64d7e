//! The hub's HTTP routes.

mod connect;
mod forward;
mod negotiate;
mod page;
mod refusals;
mod send;
mod services;

use std::sync::Arc;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};

use self::forward::Forwarder;
use self::refusals::refuse;
use self::services::RequestServices;
use crate::guards::Guards;
use crate::hub::Hub;
use crate::metrics::{CONTENT_TYPE, Metrics, RefusedRequest};

/// All routes of the hub.
pub fn router(hub: &Arc<Hub>) -> Router {
    let services = Arc::new(RequestServices {
        guards: Arc::clone(&hub.guards),
        signer: Arc::clone(&hub.signer),
        owner: hub.owner,
        connections: Arc::clone(&hub.connections),
        sessions: Arc::clone(&hub.sessions),
        audiences: Arc::clone(&hub.audiences),
        runner: Arc::clone(&hub.runner),
        handover: Arc::clone(&hub.handover),
        forwarder: Forwarder {
            signer: Arc::clone(&hub.signer),
            peers: Arc::clone(&hub.peers),
            metrics: Arc::clone(&hub.metrics),
        },
        linger: hub.timeouts.linger,
        most_message_bytes: hub.most_message_bytes,
    });
    let signalr = Router::new()
        .route("/hub", get(connect::connect).post(send::send).delete(send::end))
        .route("/hub/negotiate", post(negotiate::negotiate))
        .layer(middleware::from_fn_with_state(Arc::clone(&hub.guards), cross_origin))
        .layer(middleware::map_response_with_state(Arc::clone(&hub.metrics), count_refused))
        .with_state(services);
    Router::new()
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(ready))
        .route("/metrics", get(metrics))
        .with_state(Arc::clone(hub))
        .merge(signalr)
        .merge(page::router())
}

/// Adds the headers by which browsers allow requests of pages from other origins, and answers preflight
/// requests.
async fn cross_origin(State(guards): State<Arc<Guards>>, request: Request, next: Next) -> Response {
    // Only browsers send an origin; the headers of other requests are not copied.
    let has_origin = request.headers().contains_key(header::ORIGIN);
    let headers = if has_origin { request.headers().clone() } else { HeaderMap::new() };
    let mut response = if request.method() == Method::OPTIONS {
        match guards.origins.check(&headers) {
            Ok(()) => StatusCode::NO_CONTENT.into_response(),
            Err(error) => refuse(&error),
        }
    } else {
        next.run(request).await
    };
    guards.origins.put_headers(&headers, response.headers_mut());
    response.headers_mut().entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-store"));
    response
}

/// Counts a refused request by the reason that its response carries.
async fn count_refused(State(metrics): State<Arc<Metrics>>, response: Response) -> Response {
    if let Some(reason) = response.extensions().get::<RefusedRequest>() {
        metrics.refused(*reason);
    }
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
