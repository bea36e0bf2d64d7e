//! The configuration of a hub, from flags and environment variables, checked once at the start.

mod flags;
mod redis_address;
mod timeouts;

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Parser;

use self::flags::{Flags, hostname};
use self::redis_address::RedisAddress;
pub use self::timeouts::Timeouts;
use crate::backplane::HistorySettings;
use crate::backplane::channels::EventKey;
use crate::backplane::link::RedisSettings;
use crate::guards::{JwtSettings, Origins};
use crate::token::LEAST_KEY;

/// The hub's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The configuration of a hub. Its fields are documented at the flags of the same names, see `--help`.
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
    /// `None`: a random key of this process.
    pub token_key: Option<TokenKey>,
    pub origins: Origins,
    /// `None`: clients need no token.
    pub jwt: Option<JwtSettings>,
    pub timeouts: Timeouts,
    pub rebalance: bool,
    pub settings: Settings,
}

/// Settings that are only looked up.
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
    pub history: HistorySettings,
    /// The most rooms and groups of one connection.
    pub most_rooms: usize,
    /// True if clients may use the generic methods, which invoke all clients, groups, users or connections.
    pub generic_api: bool,
}

/// A key that is never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct TokenKey(Vec<u8>);

impl TokenKey {
    /// The bytes of the key.
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

/// The reason why the hub does not start with these flags.
#[derive(Debug, PartialEq, Eq)]
pub enum ConfigError {
    /// The text of `--help` or `--version`, which is no error.
    Help(String),
    /// An error in one line, with the remedy.
    Invalid(String),
}

impl Config {
    /// Reads flags, then the environment, then defaults.
    ///
    /// # Errors
    /// A [`ConfigError`].
    pub fn read(arguments: impl IntoIterator<Item = String>) -> Result<Self, ConfigError> {
        let flags = Flags::try_parse_from(arguments).map_err(|error| {
            let text = error.render().to_string();
            if error.exit_code() == 0 {
                ConfigError::Help(text)
            } else {
                ConfigError::Invalid(one_line(&text))
            }
        })?;
        let address = match (flags.redis, flags.redis_server) {
            (Some(text), _) => Some(redis_address::read(&text).map_err(|why| {
                ConfigError::Invalid(format!("invalid value for '--redis <REDIS>': {why}; see --help"))
            })?),
            // In a manifest, an empty variable means that there is no Redis.
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
                .map_err(ConfigError::Invalid)?,
            origins: flags.allowed_origins,
            jwt: given(flags.jwt_key_file).map(|key_file| JwtSettings {
                key_file,
                algorithm: flags.jwt_algorithm,
                issuer: flags.jwt_issuer.filter(|issuer| !issuer.is_empty()),
                audience: flags.jwt_audience.filter(|audience| !audience.is_empty()),
            }),
            timeouts: Timeouts {
                handshake: Duration::from_secs(flags.handshake_timeout),
                ping: Duration::from_secs(flags.keep_alive),
                silence: Duration::from_secs(flags.client_timeout),
                client_result: Duration::from_secs(flags.client_result_timeout),
                ..Timeouts::default()
            },
            rebalance: flags.rebalance,
            settings: Settings {
                most_message_bytes: usize::try_from(flags.max_message_bytes).unwrap_or(usize::MAX),
                most_connections: flags.max_connections,
                messages_per_second: flags.messages_per_second,
                connections_per_second_per_address: flags.connections_per_second_per_address,
                stateful_buffer_bytes: flags.stateful_buffer_bytes,
                history: HistorySettings {
                    messages: flags.history_messages as usize,
                    lifetime: Duration::from_secs(flags.history_seconds),
                },
                generic_api: flags.generic_api,
                most_rooms: flags.max_rooms_per_connection as usize,
            },
        })
    }

    /// The address at which other hubs reach this one, which listens on `port`: the address of its pod, or of
    /// this machine.
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

/// A path that is given. In a manifest, an empty variable means that there is none.
fn given(path: Option<PathBuf>) -> Option<PathBuf> {
    path.filter(|path| !path.as_os_str().is_empty())
}

/// The first line of clap's explanation, which says what is wrong.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    format!("{}; see --help", line.strip_prefix("error: ").unwrap_or(line).trim_end_matches('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_refusal_is_one_line() {
        let refused = |flag: &str| match Config::read(["hub", flag].map(String::from)) {
            Err(ConfigError::Invalid(line)) => line,
            other => panic!("{other:?}"),
        };

        assert_eq!(
            refused("--port=x"),
            "invalid value 'x' for '--port <PORT>': a port is a number from 0 to 65535; see --help"
        );
        assert_eq!(refused("--verbose"), "unexpected argument '--verbose' found; see --help");
    }
}
