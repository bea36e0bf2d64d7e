//! Health and metrics over HTTP.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use axum::extract::State;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use tokio::net::TcpListener;

use crate::metrics::{CONTENT_TYPE as OPENMETRICS, Metrics};
use crate::watches::Caches;

/// What readiness depends on.
#[derive(Debug, Default)]
pub struct Health {
    /// Complete once every kind has been listed.
    pub caches: Arc<Caches>,
    clusters_listed: AtomicBool,
}

impl Health {
    /// The first list of `ChatClusters` is complete.
    pub fn clusters_listed(&self) {
        self.clusters_listed.store(true, Ordering::Relaxed);
    }

    /// Whether all that reconciles need to know is known.
    pub fn is_ready(&self) -> bool {
        self.missing().is_none()
    }

    /// Why the operator is not ready, if it is not.
    fn missing(&self) -> Option<String> {
        if !self.clusters_listed.load(Ordering::Relaxed) {
            return Some("ChatClusters cannot be listed yet: is the CustomResourceDefinition chatclusters.chatcluster.dev installed?".to_owned());
        }
        let missing = self.caches.missing();
        (!missing.is_empty()).then(|| format!("not listed yet: {}", missing.join(", ")))
    }
}

/// Serves `/healthz` (the process lives), `/readyz` (it knows the cluster) and `/metrics`.
///
/// # Errors
/// If the port cannot be listened on.
pub async fn serve(port: u16, health: Arc<Health>, metrics: Arc<Metrics>) -> std::io::Result<()> {
    // Of both families where there are two; some nodes have no IPv6 at all.
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
    };
    let router = Router::new()
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(ready))
        .with_state(health)
        .route("/metrics", get(async move || ([(CONTENT_TYPE, OPENMETRICS)], metrics.render())));
    axum::serve(listener, router).await
}

async fn ready(State(health): State<Arc<Health>>) -> impl IntoResponse {
    match health.missing() {
        None => (StatusCode::OK, "ok\n".to_owned()),
        Some(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}
