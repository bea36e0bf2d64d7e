//! What the hub is told by flags and environment, checked once.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use crate::backplane::History;
use crate::backplane::channels::EventKey;
use crate::backplane::link::RedisSettings;
use crate::guards::{JwtAlgorithm, JwtSettings, Origins};
use crate::hub::Timing;
use crate::token::LEAST_KEY;

/// A SignalR-compatible chat server. With Redis, everyone in a room hears it, whichever hub serves them; without,
/// this hub serves alone.
#[derive(Debug, Parser)]
#[command(name = "chatcluster-hub", version)]
struct Flags {
    /// The port to listen on.
    #[arg(long, env = "HUB_PORT", default_value = "8080", value_parser = port)]
    port: u16,
    /// The full address to listen on, such as 127.0.0.1:8080 [default: 0.0.0.0 and the port].
    #[arg(long, env = "HUB_LISTEN", value_parser = listen)]
    listen: Option<SocketAddr>,
    /// Redis as host, host:port or redis://host:port, for short.
    // It is parsed later, for clap's errors and help repeat what was given, and that may hold a password.
    #[arg(long, env = "HUB_REDIS", hide_env_values = true, conflicts_with = "redis_server")]
    redis: Option<String>,
    /// The hostname of Redis; without one, the hub serves alone from memory.
    #[arg(long, env = "REDIS_SERVER")]
    redis_server: Option<String>,
    /// The port of Redis.
    #[arg(long, env = "REDIS_PORT", default_value = "6379", value_parser = port)]
    redis_port: u16,
    /// A file that holds the password of Redis; it is read for each connection.
    #[arg(long, env = "REDIS_PASSWORD_FILE")]
    redis_password_file: Option<PathBuf>,
    /// What the channels on Redis start with: hubs with the same key are one cluster.
    #[arg(long, env = "BACKPLANE_EVENT_KEY", default_value = "chatcluster", value_parser = EventKey::new)]
    event_key: EventKey,
    /// What this hub is called [default: the hostname].
    #[arg(long, env = "POD_NAME", value_parser = pod_name)]
    pod_name: Option<String>,
    /// The address of this hub's pod, where the other hubs reach it.
    #[arg(long, env = "POD_IP")]
    pod_ip: Option<String>,
    /// How many messages of a room are kept for those who come later; 0: none.
    #[arg(long, env = "HUB_HISTORY_MESSAGES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    history_messages: u32,
    /// How many seconds they are kept after the last one, and after the last member has left.
    #[arg(long, env = "HUB_HISTORY_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    history_seconds: u64,
    /// Whether clients may speak to all, to groups, to users and to each other, besides the chat.
    #[arg(long, env = "HUB_GENERIC_API", default_value_t = true, action = clap::ArgAction::Set)]
    generic_api: bool,
    /// The most rooms and groups of one connection.
    #[arg(long, env = "HUB_MAX_ROOMS_PER_CONNECTION", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    max_rooms_per_connection: u32,
    /// A file with at least 32 bytes, the same on all hubs, that signs connection tokens: with it any hub passes on what is for
    /// another one, and no sticky sessions are needed [default: a key of this process].
    #[arg(long, env = "HUB_TOKEN_KEY_FILE")]
    token_key_file: Option<PathBuf>,
    /// Origins whose pages may connect, separated by commas, such as `https://example.com`, or * for all; the hub's own always may.
    #[arg(long, env = "HUB_ALLOWED_ORIGINS", default_value = "", value_parser = Origins::new)]
    allowed_origins: Origins,
    /// A file with the key of the tokens (JWT) that clients need; without it, they need none.
    #[arg(long, env = "HUB_JWT_KEY_FILE")]
    jwt_key_file: Option<PathBuf>,
    /// What that key is: a secret, a public key as PEM, or a key set.
    #[arg(long, env = "HUB_JWT_ALGORITHM", default_value = "HS256")]
    jwt_algorithm: JwtAlgorithm,
    /// What the tokens' claim `iss` has to be.
    #[arg(long, env = "HUB_JWT_ISSUER")]
    jwt_issuer: Option<String>,
    /// What the tokens' claim `aud` has to be or to contain.
    #[arg(long, env = "HUB_JWT_AUDIENCE")]
    jwt_audience: Option<String>,
    /// The most bytes that a client may send in one message.
    #[arg(long, env = "HUB_MAX_MESSAGE_BYTES", default_value_t = 32768, value_parser = clap::value_parser!(u32).range(256..=16_777_216))]
    max_message_bytes: u32,
    /// The most connections of this hub; 0: no limit.
    #[arg(long, env = "HUB_MAX_CONNECTIONS", default_value_t = 0)]
    max_connections: usize,
    /// The most calls a second from one connection, with a burst of as many as in two seconds; 0: no limit.
    #[arg(long, env = "HUB_MESSAGES_PER_SECOND", default_value_t = 0)]
    messages_per_second: u32,
    /// The most new connections a second from one address; 0: no limit.
    #[arg(long, env = "HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS", default_value_t = 0)]
    connections_per_second_per_address: u32,
    /// How many seconds nothing is said to a client before it gets a ping.
    #[arg(long, env = "HUB_KEEP_ALIVE", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    keep_alive: u64,
    /// How many seconds a client may be silent; clients ping every 15 seconds.
    #[arg(long, env = "HUB_CLIENT_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(2..=7200))]
    client_timeout: u64,
    /// How many seconds a client has for the head of a request, and for its handshake.
    #[arg(long, env = "HUB_HANDSHAKE_TIMEOUT", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=600))]
    handshake_timeout: u64,
    /// How many seconds a client has to answer another one that calls its method.
    #[arg(long, env = "HUB_CLIENT_RESULT_TIMEOUT", default_value_t = 30, value_parser = clap::value_parser!(u64).range(1..=600))]
    client_result_timeout: u64,
    /// How many bytes are kept for a client with stateful reconnect until it confirms them.
    #[arg(long, env = "HUB_STATEFUL_BUFFER_BYTES", default_value_t = 100_000)]
    stateful_buffer_bytes: usize,
    /// A hub with far more clients than the others lets some go, a few each second.
    #[arg(long, env = "HUB_REBALANCE", default_value_t = false, action = clap::ArgAction::Set)]
    rebalance: bool,
    /// How many seconds the hub has to end after SIGTERM or SIGINT.
    #[arg(long, env = "HUB_SHUTDOWN_GRACE", default_value_t = 20, value_parser = clap::value_parser!(u64).range(1..=3600))]
    shutdown_grace: u64,
}

/// See the fields of the same names in `--help`.
#[derive(Debug, Clone, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Config {
    pub listen: SocketAddr,
    /// `None`: serve alone from memory.
    pub redis: Option<RedisSettings>,
    pub event_key: EventKey,
    pub pod: String,
    pub pod_ip: Option<String>,
    pub shutdown_grace: Duration,
    /// `None`: of this process.
    pub token_key: Option<TokenKey>,
    pub origins: Origins,
    /// `None`: clients need no token.
    pub jwt: Option<JwtSettings>,
    pub timing: Timing,
    pub rebalance: bool,
    pub settings: Settings,
}

/// Numbers that are only looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Settings {
    pub most_message_bytes: usize,
    /// 0: no limit.
    pub most_connections: usize,
    /// 0: no limit.
    pub messages_per_second: u32,
    /// 0: no limit.
    pub connections_per_second_per_address: u32,
    pub stateful_buffer_bytes: usize,
    pub history: History,
    /// And groups, of one connection.
    pub most_rooms: usize,
    /// Whether clients may speak to each other outside of rooms.
    pub generic_api: bool,
}

/// A key that is never shown.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey(Vec<u8>);

impl TokenKey {
    /// The key.
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    fn read(path: &Path) -> Result<Self, String> {
        let file = path.display();
        let key = std::fs::read(path)
            .map_err(|error| format!("cannot read the key of connection tokens in {file}: {error}"))?;
        if key.len() < LEAST_KEY {
            return Err(format!("the key of connection tokens in {file} has fewer than {LEAST_KEY} bytes"));
        }
        Ok(Self(key))
    }
}

impl std::fmt::Debug for TokenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenKey")
    }
}

/// Why the hub does not start with these flags.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    /// `--help` or `--version`: this text, and no fault.
    Asked(String),
    /// One line on what to do.
    Wrong(String),
}

impl Config {
    /// Reads flags, then the environment, then defaults.
    ///
    /// # Errors
    /// A [`Refusal`].
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, Refusal> {
        let flags = Flags::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            if error.exit_code() == 0 { Refusal::Asked(text) } else { Refusal::Wrong(one_line(&text)) }
        })?;
        let address = match (flags.redis, flags.redis_server) {
            (Some(text), _) => Some(redis_address(&text).map_err(|why| {
                Refusal::Wrong(format!("invalid value for '--redis <REDIS>': {why}; see --help"))
            })?),
            // An empty variable is how a manifest says that there is none.
            (None, Some(host)) if !host.is_empty() => Some(RedisAddress { host, port: None }),
            (None, _) => None,
        };
        Ok(Self {
            listen: flags.listen.unwrap_or_else(|| SocketAddr::from(([0, 0, 0, 0], flags.port))),
            redis: address.map(|address| RedisSettings {
                host: address.host,
                port: address.port.unwrap_or(flags.redis_port),
                password_file: given(flags.redis_password_file),
            }),
            event_key: flags.event_key,
            pod: flags.pod_name.unwrap_or_else(hostname),
            pod_ip: flags.pod_ip.filter(|ip| !ip.is_empty()),
            shutdown_grace: Duration::from_secs(flags.shutdown_grace),
            token_key: given(flags.token_key_file)
                .map(|path| TokenKey::read(&path))
                .transpose()
                .map_err(Refusal::Wrong)?,
            origins: flags.allowed_origins,
            jwt: given(flags.jwt_key_file).map(|key_file| JwtSettings {
                key_file,
                algorithm: flags.jwt_algorithm,
                issuer: flags.jwt_issuer.filter(|issuer| !issuer.is_empty()),
                audience: flags.jwt_audience.filter(|audience| !audience.is_empty()),
            }),
            timing: Timing {
                handshake: Duration::from_secs(flags.handshake_timeout),
                ping: Duration::from_secs(flags.keep_alive),
                silence: Duration::from_secs(flags.client_timeout),
                answer: Duration::from_secs(flags.client_result_timeout),
                ..Timing::default()
            },
            rebalance: flags.rebalance,
            settings: Settings {
                most_message_bytes: usize::try_from(flags.max_message_bytes).unwrap_or(usize::MAX),
                most_connections: flags.max_connections,
                messages_per_second: flags.messages_per_second,
                connections_per_second_per_address: flags.connections_per_second_per_address,
                stateful_buffer_bytes: flags.stateful_buffer_bytes,
                history: History {
                    messages: flags.history_messages as usize,
                    lifetime: Duration::from_secs(flags.history_seconds),
                },
                generic_api: flags.generic_api,
                most_rooms: flags.max_rooms_per_connection as usize,
            },
        })
    }

    /// Where other hubs reach this one, which listens on `port`: at its pod's address, or on this machine.
    pub fn reached_at(&self, port: u16) -> SocketAddr {
        let pod = self.pod_ip.as_deref().and_then(|ip| ip.parse().ok());
        let own = match self.listen.ip() {
            IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
            IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
            ip => ip,
        };
        SocketAddr::new(pod.unwrap_or(own), port)
    }
}

/// An empty variable is how a manifest says that there is none.
fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

/// clap explains over several lines; the first says what is wrong.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    format!("{}; see --help", line.strip_prefix("error: ").unwrap_or(line).trim_end_matches('.'))
}

fn port(text: &str) -> Result<u16, String> {
    if text.contains("://") {
        // Kubernetes sets HUB_PORT=tcp://… in every pod next to a Service called `hub`.
        return Err("this comes from a Kubernetes Service of that name; set enableServiceLinks: false".into());
    }
    text.parse().map_err(|_| "a port is a number from 0 to 65535".into())
}

fn listen(text: &str) -> Result<SocketAddr, String> {
    text.parse().map_err(|_| "give an address and a port, such as 127.0.0.1:8080".into())
}

/// Redis' `CLIENT SETNAME` takes no spaces and nothing that is not ASCII.
fn pod_name(text: &str) -> Result<String, String> {
    if text.is_empty() || text.len() > 253 || !text.chars().all(|c| c.is_ascii_graphic()) {
        return Err("a pod name is 1 to 253 visible ASCII characters without a space".into());
    }
    Ok(text.to_owned())
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct RedisAddress {
    host: String,
    port: Option<u16>,
}

/// Reads host, host:port, [v6]:port or redis://host:port. The text may hold a password, so no error repeats it.
fn redis_address(text: &str) -> Result<RedisAddress, String> {
    let rest = match text.split_once("://") {
        Some(("redis", rest)) => rest,
        Some(("rediss", _)) => return Err("TLS to Redis is not supported yet; use redis://host:port".into()),
        Some(_) => return Err("give redis://host:port or host:port".into()),
        None => text,
    };
    if rest.contains('@') {
        return Err("a password in an argument can be read by others; put it in a file and name it with --redis-password-file".into());
    }
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    let (host, port_text) = match rest.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((host, "")) => (host, None),
        Some((host, port)) => (host, Some(port.strip_prefix(':').ok_or("give [address]:port")?)),
        None => match rest.split_once(':') {
            Some((host, port)) => (host, Some(port)),
            None => (rest, None),
        },
    };
    if host.is_empty() || host.contains(['/', '?', '#']) || host.chars().any(char::is_whitespace) {
        return Err("give redis://host:port or host:port, and nothing else".into());
    }
    Ok(RedisAddress { host: host.to_owned(), port: port_text.map(port).transpose()? })
}

/// In a container the hostname is the pod's name.
fn hostname() -> String {
    let from_system = std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    from_system
        .or_else(|| std::env::var("HOSTNAME").ok())
        .and_then(|name| pod_name(name.trim()).ok())
        .unwrap_or_else(|| "hub".into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(host: &str, port: Option<u16>) -> RedisAddress {
        RedisAddress { host: host.into(), port }
    }

    #[test]
    fn redis_may_be_given_in_several_short_forms() {
        assert_eq!(redis_address("redis"), Ok(address("redis", None)));
        assert_eq!(redis_address("redis:7000"), Ok(address("redis", Some(7000))));
        assert_eq!(redis_address("redis://127.0.0.1:7000/"), Ok(address("127.0.0.1", Some(7000))));
        assert_eq!(redis_address("[::1]:7000"), Ok(address("::1", Some(7000))));
        assert_eq!(redis_address("redis://[::1]"), Ok(address("::1", None)));
    }

    #[test]
    fn a_password_in_an_argument_is_refused_without_repeating_it() {
        for text in ["redis://:hunter2@redis:6379", "user:hunter2@redis"] {
            let refusal = redis_address(text).unwrap_err();

            assert!(refusal.contains("--redis-password-file"), "{refusal}");
            assert!(!refusal.contains("hunter2"), "{refusal}");
        }
    }

    #[test]
    fn other_addresses_say_what_to_give() {
        for text in ["", "redis://", "http://redis", "rediss://redis", "redis/1", "redis:x", "[::1]7000"] {
            assert!(redis_address(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_service_link_is_recognised() {
        assert!(port("tcp://10.0.0.1:80").unwrap_err().contains("enableServiceLinks"));
    }

    #[test]
    fn a_refusal_is_one_line() {
        let refused = |flag: &str| match Config::read(["hub", flag].map(String::from)) {
            Err(Refusal::Wrong(line)) => line,
            other => panic!("{other:?}"),
        };

        assert_eq!(
            refused("--port=x"),
            "invalid value 'x' for '--port <PORT>': a port is a number from 0 to 65535; see --help"
        );
        assert_eq!(refused("--verbose"), "unexpected argument '--verbose' found; see --help");
    }
}
