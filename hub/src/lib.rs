//! A chat server that `@microsoft/signalr` clients can talk to, with a Redis backplane.
//!
//! [`protocol`] is pure. What a client says is heard by its [`connection`]; what it is told goes through its [`outbox`]. Both are
//! tied to a [`websocket`], or to a [`session`] that one of the [`transports`] serves. A room ([`rooms`]) is a set of outboxes; the
//! [`backplane`] brings each message to the rooms of all pods. [`hub`] holds what they share; clients come in by [`server`]
//! and [`http`], past the [`guards`].

pub mod backplane;
pub mod canary;
pub mod chat;
pub mod config;
pub mod connection;
pub mod descriptors;
pub mod ending;
pub mod flusher;
mod forward;
pub mod guards;
pub mod handover;
pub mod heartbeat;
pub mod http;
pub mod hub;
pub mod metrics;
pub mod outbox;
pub mod page;
pub mod protocol;
pub mod pulse;
pub mod rebalance;
pub mod rooms;
pub mod server;
pub mod session;
pub mod shutdown;
pub mod telemetry;
pub mod token;
pub mod transports;
pub mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::Hub;

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
    let hub = Hub::start(&config, address.port());
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
    if config.token_key.is_none() && config.redis.is_some() {
        tracing::info!(
            "no key for connection tokens: other hubs know nothing of this one's, so Server-Sent Events, long polling and \
             stateful reconnect need sticky sessions; give all hubs the same HUB_TOKEN_KEY_FILE"
        );
    }
    let stop = CancellationToken::new();
    let serving = tokio::spawn(server::serve(listener, Arc::clone(&hub), stop.clone()));

    let signal = signals.next().await;
    tracing::info!(signal, "shutting down");
    hub.start_draining();
    stop.cancel();
    // From here on clients that are let go come in elsewhere.
    let _ = serving.await;
    shutdown::drain(&hub, config.shutdown_grace).await;
    tracing::info!("ended");
    Ok(())
}
