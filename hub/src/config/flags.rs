//! The flags and environment variables, as they are given.

use std::net::SocketAddr;
use std::path::PathBuf;

use clap::Parser;

use crate::backplane::channels::EventKey;
use crate::guards::{JwtAlgorithm, Origins};

/// A SignalR-compatible chat server. With Redis, all members of a room receive its messages, whichever hub
/// serves them; without Redis, this hub serves alone.
#[derive(Debug, Parser)]
#[command(name = "chatcluster-hub", version)]
pub(super) struct Flags {
    /// The port to listen on.
    #[arg(long, env = "HUB_PORT", default_value = "8080", value_parser = port)]
    pub(super) port: u16,
    /// The full address to listen on, such as 127.0.0.1:8080 [default: 0.0.0.0 and the port].
    #[arg(long, env = "HUB_LISTEN", value_parser = listen)]
    pub(super) listen: Option<SocketAddr>,
    /// The address of Redis, as host, host:port or redis://host:port.
    // This is parsed later: clap's errors and help repeat a value, which here may hold a password.
    #[arg(long, env = "HUB_REDIS", hide_env_values = true, conflicts_with = "redis_server")]
    pub(super) redis: Option<String>,
    /// The hostname of Redis; without one, the hub serves alone from memory.
    #[arg(long, env = "REDIS_SERVER")]
    pub(super) redis_server: Option<String>,
    /// The port of Redis.
    #[arg(long, env = "REDIS_PORT", default_value = "6379", value_parser = port)]
    pub(super) redis_port: u16,
    /// A file that holds the password of Redis; it is read for each connection.
    #[arg(long, env = "REDIS_PASSWORD_FILE")]
    pub(super) redis_password_file: Option<PathBuf>,
    /// The first part of the names of all channels on Redis: hubs with the same key are one cluster.
    #[arg(long, env = "BACKPLANE_EVENT_KEY", default_value = "chatcluster", value_parser = EventKey::new)]
    pub(super) event_key: EventKey,
    /// The name of this hub [default: the hostname].
    #[arg(long, env = "POD_NAME", value_parser = pod_name)]
    pub(super) pod_name: Option<String>,
    /// The address of this hub's pod, at which other hubs reach it.
    #[arg(long, env = "POD_IP")]
    pub(super) pod_ip: Option<String>,
    /// The number of messages that are kept per room for later members; 0: none.
    #[arg(long, env = "HUB_HISTORY_MESSAGES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    pub(super) history_messages: u32,
    /// The number of seconds for which they are kept after the last one, and after the last member has left.
    #[arg(long, env = "HUB_HISTORY_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    pub(super) history_seconds: u64,
    /// Allow clients to use the generic methods, which invoke all clients, groups, users or connections.
    #[arg(long, env = "HUB_GENERIC_API", default_value_t = true, action = clap::ArgAction::Set)]
    pub(super) generic_api: bool,
    /// The most rooms and groups of one connection.
    #[arg(long, env = "HUB_MAX_ROOMS_PER_CONNECTION", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    pub(super) max_rooms_per_connection: u32,
    /// A file with at least 32 bytes, the same on all hubs, that signs connection tokens: with it, any hub
    /// passes on requests for another one, and no sticky sessions are needed [default: a key of this
    /// process].
    #[arg(long, env = "HUB_TOKEN_KEY_FILE")]
    pub(super) token_key_file: Option<PathBuf>,
    /// Origins whose pages may connect, separated by commas, such as `https://example.com`, or * for all; the
    /// hub's own origin always may.
    #[arg(long, env = "HUB_ALLOWED_ORIGINS", default_value = "", value_parser = Origins::new)]
    pub(super) allowed_origins: Origins,
    /// A file with the key of the tokens (JWT) that clients need; without it, clients need no token.
    #[arg(long, env = "HUB_JWT_KEY_FILE")]
    pub(super) jwt_key_file: Option<PathBuf>,
    /// The kind of that key: a secret, a public key as PEM, or a key set.
    #[arg(long, env = "HUB_JWT_ALGORITHM", default_value = "HS256")]
    pub(super) jwt_algorithm: JwtAlgorithm,
    /// The required value of the tokens' claim `iss`.
    #[arg(long, env = "HUB_JWT_ISSUER")]
    pub(super) jwt_issuer: Option<String>,
    /// The required value of the tokens' claim `aud`, or one of its values.
    #[arg(long, env = "HUB_JWT_AUDIENCE")]
    pub(super) jwt_audience: Option<String>,
    /// The most bytes that a client may send in one message.
    #[arg(long, env = "HUB_MAX_MESSAGE_BYTES", default_value_t = 32768, value_parser = clap::value_parser!(u32).range(256..=16_777_216))]
    pub(super) max_message_bytes: u32,
    /// The most connections of this hub; 0: no limit.
    #[arg(long, env = "HUB_MAX_CONNECTIONS", default_value_t = 0)]
    pub(super) max_connections: usize,
    /// The most invocations a second from one connection, with a burst of as many as in two seconds; 0: no
    /// limit.
    #[arg(long, env = "HUB_MESSAGES_PER_SECOND", default_value_t = 0)]
    pub(super) messages_per_second: u32,
    /// The most new connections a second from one address; 0: no limit.
    #[arg(long, env = "HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS", default_value_t = 0)]
    pub(super) connections_per_second_per_address: u32,
    /// The number of seconds without a message to a client after which it gets a ping.
    #[arg(long, env = "HUB_KEEP_ALIVE", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) keep_alive: u64,
    /// The number of seconds that a client may be silent; clients ping every 15 seconds.
    #[arg(long, env = "HUB_CLIENT_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=7200))]
    pub(super) client_timeout: u64,
    /// The number of seconds that a client has for the head of a request, and for its handshake.
    #[arg(long, env = "HUB_HANDSHAKE_TIMEOUT", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) handshake_timeout: u64,
    /// The number of seconds that a client has to complete an invocation by another client.
    #[arg(long, env = "HUB_CLIENT_RESULT_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    pub(super) client_result_timeout: u64,
    /// The number of bytes that are kept for a client with stateful reconnect until it acknowledges them.
    #[arg(long, env = "HUB_STATEFUL_BUFFER_BYTES", default_value_t = 100_000)]
    pub(super) stateful_buffer_bytes: usize,
    /// Let a hub with far more clients than the others disconnect some, a few each second.
    #[arg(long, env = "HUB_REBALANCE", default_value_t = false, action = clap::ArgAction::Set)]
    pub(super) rebalance: bool,
    /// The number of seconds that the hub has to end after SIGTERM or SIGINT.
    #[arg(long, env = "HUB_SHUTDOWN_GRACE", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub(super) shutdown_grace: u64,
}

pub(super) fn port(text: &str) -> Result<u16, String> {
    if text.contains("://") {
        // Kubernetes sets HUB_PORT=tcp://… in every pod next to a Service called `hub`.
        return Err("this comes from a Kubernetes Service of that name; set enableServiceLinks: false".into());
    }
    text.parse().map_err(|_| "a port is a number from 0 to 65535".into())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8080".into())
}

/// Checks a pod's name: Redis' `CLIENT SETNAME` takes visible ASCII characters only, and no spaces.
fn pod_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 253 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a pod name is 1 to 253 visible ASCII characters without a space".into());
    }
    Ok(text.to_owned())
}

/// The hostname, which in a container is the pod's name.
pub(super) fn hostname() -> String {
    let from_system = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    from_system
        .or_else(|| std::env::var("HOSTNAME").ok())
        .and_then(|name| pod_name(name.trim()).ok())
        .unwrap_or_else(|| "hub".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_link_is_recognised() {
        assert!(port("tcp://10.0.0.1:80").unwrap_err().contains("enableServiceLinks"));
    }
}
