//! What the hub is told by flags and environment, checked once.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::Parser;

use crate::backplane::History;
use crate::backplane::channels::EventKey;
use crate::backplane::link::RedisSettings;

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
    /// The address of this hub's pod; only logged.
    #[arg(long, env = "POD_IP")]
    pod_ip: Option<String>,
    /// How many messages of a room are kept for those who come later; 0: none.
    #[arg(long, env = "HUB_HISTORY_MESSAGES", default_value_t = 100, value_parser = clap::value_parser!(u32).range(0..=10_000))]
    history_messages: u32,
    /// How many seconds they are kept after the last one, and after the last member has left.
    #[arg(long, env = "HUB_HISTORY_SECONDS", default_value_t = 86_400, value_parser = clap::value_parser!(u64).range(1..=31_536_000))]
    history_seconds: u64,
    /// The most rooms and groups of one connection.
    #[arg(long, env = "HUB_MAX_ROOMS_PER_CONNECTION", default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..))]
    max_rooms_per_connection: u32,
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
    pub history: History,
    pub max_rooms_per_connection: usize,
    pub shutdown_grace: Duration,
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
                password_file: flags.redis_password_file.filter(|path| !path.as_os_str().is_empty()),
            }),
            event_key: flags.event_key,
            pod: flags.pod_name.unwrap_or_else(hostname),
            pod_ip: flags.pod_ip.filter(|ip| !ip.is_empty()),
            history: History {
                messages: flags.history_messages as usize,
                lifetime: Duration::from_secs(flags.history_seconds),
            },
            max_rooms_per_connection: flags.max_rooms_per_connection as usize,
            shutdown_grace: Duration::from_secs(flags.shutdown_grace),
        })
    }
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
