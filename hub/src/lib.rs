//! A chat server that `@microsoft/signalr` clients can talk to, with a Redis backplane.
//!
//! [`protocol`] is pure. A connection ([`connection`]) has a queue ([`outbox`]); a room ([`rooms`]) is a set of
//! queues; the [`backplane`] brings each message to the rooms of all pods. [`hub`] holds what they share, [`http`]
//! is where clients come in.

pub mod backplane;
pub mod canary;
pub mod chat;
pub mod config;
pub mod connection;
pub mod ending;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod outbox;
pub mod page;
pub mod protocol;
pub mod rooms;
pub mod shutdown;
pub mod telemetry;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use axum::serve::ListenerExt;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::{Hub, Timing};

/// Why the hub ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address is in use, or not of this machine.
    #[error("cannot listen on {address}: {error}; choose another with --port or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        error: io::Error,
    },
    /// The system does not let us serve.
    #[error("cannot serve: {0}")]
    Serve(#[from] io::Error),
}

/// Serves until SIGTERM or SIGINT, and then ends within the grace period.
///
/// # Errors
/// A [`RunError`].
pub async fn run(config: Config) -> Result<(), RunError> {
    let mut signals = shutdown::Signals::listen()?;
    let listen_error = |error| RunError::Listen { address: config.listen, error };
    let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
    let address = listener.local_addr()?;
    let hub = Hub::start(&config, Timing::default());
    tracing::info!(
        %address,
        pod = config.pod,
        pod_ip = config.pod_ip,
        version = hub::VERSION,
        event_key = %config.event_key,
        "listening"
    );
    if let Some(redis) = &config.redis {
        tracing::info!(redis = redis.at(), "messages go through Redis");
    } else {
        tracing::info!("no Redis given: this hub serves alone, from memory");
    }
    let stop = CancellationToken::new();
    let serving = tokio::spawn(serve(listener, Arc::clone(&hub), stop.clone()));

    let signal = signals.next().await;
    tracing::info!(signal, "shutting down");
    hub.start_draining();
    stop.cancel();
    shutdown::drain(&hub, config.shutdown_grace).await;
    serving.abort();
    tracing::info!("ended");
    Ok(())
}

/// Accepts clients until told to stop, and then finishes the requests that are under way.
///
/// # Errors
/// When the listener fails.
pub async fn serve(listener: TcpListener, hub: Arc<Hub>, stop: CancellationToken) -> io::Result<()> {
    // Small messages must not wait for others to share a packet with them.
    let listener = listener.tap_io(|stream| {
        let _ = stream.set_nodelay(true);
    });
    axum::serve(listener, http::router(hub)).with_graceful_shutdown(stop.cancelled_owned()).await
}
