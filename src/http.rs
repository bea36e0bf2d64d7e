//! Health and metrics over HTTP.

use std::fmt::Display;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::extract::State;
use axum::http::{StatusCode, header::CONTENT_TYPE};
use axum::routing::get;
use axum::{Router, response::IntoResponse};
use tokio::net::TcpListener;
use tokio::task::AbortHandle;

use crate::client::access::Access;
use crate::lease::Tenure;
use crate::metrics::{CONTENT_TYPE as OPENMETRICS, Metrics};
use crate::store::scope::Scope;
use crate::store::watches::Caches;

/// The time for which the API server may fail to answer before an operator whose caches are complete is not
/// ready.
const LASTING: Duration = Duration::from_secs(10);
/// The time after which the reconcile loop counts as stuck in a step. The longest step takes milliseconds.
const STUCK: Duration = Duration::from_mins(1);

/// The state that health and readiness depend on.
#[derive(Debug)]
pub struct Health {
    /// The watch caches, which are complete once every kind has been listed.
    pub caches: Arc<Caches>,
    /// Whether the API server answers.
    access: Arc<Access>,
    tenure: Tenure,
    clusters_listed: AtomicBool,
    /// Tasks that end only by a panic.
    tasks: Mutex<Vec<AbortHandle>>,
    beat: Mutex<Instant>,
}

impl Health {
    /// Returns the state of an operator whose caches are empty.
    pub fn new(access: Arc<Access>, tenure: Tenure, scope: &Scope) -> Self {
        Self {
            caches: Arc::new(Caches::within(scope)),
            access,
            tenure,
            clusters_listed: AtomicBool::new(false),
            tasks: Mutex::default(),
            beat: Mutex::new(Instant::now()),
        }
    }

    /// Records that the first list of `ChatClusters` is complete.
    pub fn clusters_listed(&self) {
        self.clusters_listed.store(true, Ordering::Relaxed);
    }

    /// Adds tasks without which the process is useless.
    pub fn depends_on(&self, tasks: impl IntoIterator<Item = AbortHandle>) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).extend(tasks);
    }

    /// Records that the reconcile loop is not stuck.
    pub fn beats(&self) {
        *self.beat.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// True once all watch caches are complete.
    pub fn knows_all(&self) -> bool {
        self.clusters_listed.load(Ordering::Relaxed) && self.caches.missing().is_empty()
    }

    /// True while the process does its work, or waits for its election. Otherwise it must be restarted.
    fn alive(&self) -> Result<&'static str, String> {
        let ended = |task: &AbortHandle| task.is_finished();
        if self.tasks.lock().unwrap_or_else(PoisonError::into_inner).iter().any(ended) {
            return Err("a watch has ended by a panic: see the log".to_owned());
        }
        let silent = self.beat.lock().unwrap_or_else(PoisonError::into_inner).elapsed();
        if silent > STUCK {
            return Err(format!("the loop that reconciles has been stuck for {} s", silent.as_secs()));
        }
        Ok("ok")
    }

    /// Whether the operator could do its work, or take it over.
    ///
    /// # Errors
    /// What is missing, in one line.
    fn ready(&self) -> Result<String, String> {
        let knows_all = self.knows_all();
        let troubles = self.access.troubles(if knows_all { LASTING } else { Duration::ZERO });
        if !troubles.is_empty() {
            return Err(troubles.join("; "));
        }
        if !knows_all {
            let mut missing = self.caches.missing();
            if !self.clusters_listed.load(Ordering::Relaxed) {
                missing.push("chatclusters");
            }
            return Err(format!("not listed yet: {}", missing.join(", ")));
        }
        Ok(self.tenure.waits_for().map_or_else(|| "ok".to_owned(), |what| format!("ok: {what}")))
    }
}

/// Serves `/healthz` (the process is not stuck), `/readyz` (it knows the cluster) and `/metrics`.
///
/// # Errors
/// If the process cannot listen on the port.
pub async fn serve(port: u16, health: Arc<Health>, metrics: Arc<Metrics>) -> std::io::Result<()> {
    // Listen on both IP families; some nodes have no IPv6 at all.
    let listener = match TcpListener::bind((Ipv6Addr::UNSPECIFIED, port)).await {
        Ok(listener) => listener,
        Err(_) => TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).await?,
    };
    let router = Router::new()
        .route("/healthz", get(async |State(health): State<Arc<Health>>| answer(health.alive())))
        .route("/readyz", get(async |State(health): State<Arc<Health>>| answer(health.ready())))
        .with_state(health)
        .route("/metrics", get(async move || ([(CONTENT_TYPE, OPENMETRICS)], metrics.render())));
    axum::serve(listener, router).await
}

fn answer(state: Result<impl Display, String>) -> impl IntoResponse {
    match state {
        Ok(state) => (StatusCode::OK, format!("{state}\n")),
        Err(missing) => (StatusCode::SERVICE_UNAVAILABLE, format!("{missing}\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn health() -> Health {
        Health::new(Arc::default(), Tenure::waiting(), &Scope::Cluster)
    }

    #[test]
    fn what_is_not_listed_yet_is_named() {
        let missing = health().ready().unwrap_err();

        assert!(missing.starts_with("not listed yet: secrets, configmaps"), "{missing}");
        assert!(missing.ends_with("chatclusters"), "{missing}");
    }

    #[tokio::test]
    async fn a_watch_that_panicked_is_not_healthy() {
        let health = health();
        let lives = tokio::spawn(std::future::pending::<()>());
        health.depends_on([lives.abort_handle()]);
        assert_eq!(health.alive(), Ok("ok"));

        let ended = tokio::spawn(async {});
        health.depends_on([ended.abort_handle()]);
        ended.await.unwrap();

        assert!(health.alive().unwrap_err().contains("a watch has ended"));
    }

    #[test]
    fn a_loop_without_a_beat_is_stuck() {
        let health = health();
        assert_eq!(health.alive(), Ok("ok"));

        *health.beat.lock().unwrap() = Instant::now().checked_sub(STUCK * 2).unwrap();

        assert!(health.alive().unwrap_err().contains("stuck for 120 s"));
        health.beats();
        assert_eq!(health.alive(), Ok("ok"));
    }
}
