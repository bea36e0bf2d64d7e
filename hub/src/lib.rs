//! A chat server that `@microsoft/signalr` clients can talk to, with a Redis backplane.
//!
//! The modules stand on floors, and each uses only modules below it; from the ground up:
//!
//! - [`protocol`] is pure: the hub's methods and messages, on top of the crate [`signalr`].
//! - [`outbox`] is the queue of one connection, and [`members`] are sets of connections that receive the same
//!   messages: the members of one of the [`rooms`], or of one of the [`audiences`] outside of rooms.
//! - The [`backplane`] carries messages to the rooms and audiences of all hubs.
//! - [`chat`] implements the hub's methods, [`connection`] serves one client, [`session`] is a connection
//!   that outlives a request, and [`handover`] moves it to another hub.
//! - [`hub`] puts these together. Clients connect through [`server`] and [`http`], past the [`guards`] and
//!   [`admission`]; [`tasks`] work in the background until [`shutdown`].

pub mod admission;
pub mod audiences;
pub mod backplane;
pub mod chat;
mod clock;
pub mod config;
pub mod connection;
pub mod descriptors;
pub mod guards;
pub mod handover;
pub mod http;
pub mod hub;
pub mod members;
pub mod metrics;
pub mod outbox;
pub mod peers;
pub mod protocol;
pub mod rooms;
pub mod server;
pub mod session;
pub mod shutdown;
mod sync;
pub mod tasks;
pub mod telemetry;
pub mod token;
pub mod topics;
pub mod transports;
pub mod websocket;

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::config::Config;
use crate::hub::Hub;

/// The reason why the hub ended without a signal.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    /// The address is in use, or is not an address of this machine.
    #[error("cannot listen on {address}: {error}; choose another with --port or --listen")]
    Listen {
        /// The address.
        address: SocketAddr,
        /// The error of the system.
        error: io::Error,
    },
    /// The system refused a resource that the hub needs.
    #[error("cannot serve: {0}")]
    Serve(#[from] io::Error),
}

/// Builds a hub that clients reach at `port`, and starts its background tasks. Needs a Tokio runtime.
pub fn start(config: &Config, port: u16) -> Arc<Hub> {
    let (hub, peer_actions) = Hub::build(config, port);
    tasks::start(&hub, peer_actions, config.rebalance);
    Arc::new(hub)
}

/// Serves until SIGTERM or SIGINT, and then shuts down within the grace period.
///
/// # Errors
/// A [`RunError`].
pub async fn run(config: Config) -> Result<(), RunError> {
    let mut signals = shutdown::Signals::listen()?;
    let listen_error = |error| RunError::Listen { address: config.listen, error };
    let listener = TcpListener::bind(config.listen).await.map_err(listen_error)?;
    let address = listener.local_addr()?;
    let hub = start(&config, address.port());
    tracing::info!(
        %address,
        pod = config.pod,
        pod_ip = config.pod_ip,
        version = config::VERSION,
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
    let serving =
        tokio::spawn(server::serve(listener, http::router(&hub), hub.timeouts.handshake, stop.clone()));

    let signal = signals.next().await;
    tracing::info!(signal, "shutting down");
    hub.connections.start_draining();
    stop.cancel();
    // From now on, clients that are disconnected reconnect to other hubs.
    let _ = serving.await;
    shutdown::drain(&hub, config.shutdown_grace).await;
    tracing::info!("ended");
    Ok(())
}
