//! The state of the connection to Redis, and the time until the next attempt.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// The address of Redis, and the credentials for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// The hostname or address.
    pub host: String,
    /// The port.
    pub port: u16,
    /// The file that holds the password. It is read again for each connection, because the password may be
    /// rotated.
    pub password_file: Option<PathBuf>,
}

/// The reason why Redis is not connected. The texts are for users and never contain the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The password file cannot be read.
    #[error("cannot read the password file {path}: {why}")]
    PasswordFile {
        /// The file.
        path: String,
        /// The error of the system.
        why: String,
    },
    /// Redis wants another password.
    #[error("Redis at {at} refuses the password in {path}; the file is read again for each try")]
    WrongPassword {
        /// Host and port.
        at: String,
        /// The password file.
        path: String,
    },
    /// Redis asks for a password, and none is configured.
    #[error("Redis at {at} asks for a password; name a file that holds it in REDIS_PASSWORD_FILE")]
    NoPassword {
        /// Host and port.
        at: String,
    },
    /// There is no Redis at this address, or it cannot be used.
    #[error("cannot use Redis at {at}: {why}")]
    Unusable {
        /// Host and port.
        at: String,
        /// The error of the system or of Redis.
        why: String,
    },
    /// This Redis is a replica: it takes no writes, and a message that is published there reaches only that
    /// replica's subscribers. The same name may soon lead to another Redis.
    #[error(
        "Redis at {at} is a replica, which takes no writes; trying again until the name leads to the master"
    )]
    Replica {
        /// Host and port.
        at: String,
    },
    /// An established connection broke.
    #[error("lost the connection to Redis at {at}: {why}")]
    Lost {
        /// Host and port.
        at: String,
        /// The symptom.
        why: String,
    },
}

impl RedisSettings {
    /// Host and port, for messages.
    pub fn at(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The current password, without the line break that editors append.
    ///
    /// # Errors
    /// A [`LinkError::PasswordFile`].
    pub fn password(&self) -> Result<Option<String>, LinkError> {
        let Some(path) = &self.password_file else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|error| LinkError::PasswordFile {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// The meaning of an error while connecting.
    pub fn connect_error(&self, error: &RedisError) -> LinkError {
        let at = self.at();
        match (error.code(), &self.password_file) {
            (Some("WRONGPASS"), Some(path)) => {
                LinkError::WrongPassword { at, path: path.display().to_string() }
            }
            (Some("NOAUTH" | "WRONGPASS"), None) => LinkError::NoPassword { at },
            _ => LinkError::Unusable { at, why: error.to_string() },
        }
    }

    /// The error for a Redis that is a replica.
    pub fn replica(&self) -> LinkError {
        LinkError::Replica { at: self.at() }
    }

    /// The meaning of an error of an established connection.
    pub fn lost(&self, why: &dyn std::fmt::Display) -> LinkError {
        LinkError::Lost { at: self.at(), why: why.to_string() }
    }
}

/// Publishes the state of the connection to watchers, and logs each change once.
#[derive(Debug)]
pub struct LinkState {
    state: watch::Sender<Result<(), LinkError>>,
    metrics: Arc<Metrics>,
    was_up: bool,
}

impl LinkState {
    /// The state before the first connection.
    pub fn new(settings: &RedisSettings, metrics: Arc<Metrics>) -> Self {
        let connecting = LinkError::Unusable { at: settings.at(), why: "still connecting".into() };
        Self { state: watch::Sender::new(Err(connecting)), metrics, was_up: false }
    }

    /// A receiver of the state and its changes.
    pub fn watch(&self) -> watch::Receiver<Result<(), LinkError>> {
        self.state.subscribe()
    }

    /// Notes that the hub is connected and subscribed.
    pub fn up(&mut self, at: &str, rooms: usize) {
        tracing::info!(redis = at, rooms, "subscribed on the backplane");
        self.metrics.backplane_connected.set(1);
        self.metrics.backplane_reconnects.inc_by(u64::from(self.was_up));
        self.was_up = true;
        let _was = self.state.send_replace(Ok(()));
    }

    /// Notes that the hub is not connected, and why. A repeated reason is neither logged nor published.
    pub fn down(&self, reason: LinkError) {
        self.metrics.backplane_connected.set(0);
        self.state.send_if_modified(|state| {
            let changed = state.as_ref() != Err(&reason);
            if changed {
                tracing::warn!(reason = %reason, "no backplane; trying again until there is one");
                *state = Err(reason);
            }
            changed
        });
    }
}

/// The time before each attempt: it grows with each failure and is random, so that the hubs do not overrun a
/// Redis that has just come back.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Begins again with the shortest time.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// The time to wait now: between half and all of a time that doubles with each failure, from 0.1 s up to
    /// 5 s.
    pub fn wait(&mut self) -> Duration {
        let whole = Self::FIRST.saturating_mul(1 << self.failures.min(10)).min(Self::LONGEST);
        self.failures += 1;
        whole.mul_f64(rand::random_range(0.5..1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_start_anew() {
        let mut backoff = Backoff::default();

        let waits: Vec<_> = (0..40).map(|_| backoff.wait()).collect();
        assert!(waits[0] < Duration::from_millis(100));
        assert!(waits[20..].iter().all(|wait| (2_500..5_000).contains(&wait.as_millis())));

        backoff.reset();
        assert!(backoff.wait() < Duration::from_millis(100));
    }

    #[test]
    fn a_password_loses_its_line_break_but_nothing_else() {
        let path = std::env::temp_dir().join(format!("hub-password-{}", std::process::id()));
        std::fs::write(&path, " secret \r\n").unwrap();
        let settings = RedisSettings { host: "redis".into(), port: 6379, password_file: Some(path.clone()) };

        assert_eq!(settings.password(), Ok(Some(" secret ".into())));

        std::fs::remove_file(&path).unwrap();
        assert!(matches!(settings.password(), Err(LinkError::PasswordFile { .. })));
    }
}
