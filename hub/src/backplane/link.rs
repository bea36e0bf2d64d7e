//! Whether Redis is there, and how long to wait before the next try.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use redis::RedisError;
use tokio::sync::watch;

use crate::metrics::Metrics;

/// Where Redis is, and how to get in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedisSettings {
    /// Its hostname or address.
    pub host: String,
    /// Its port.
    pub port: u16,
    /// Holds the password, and is read anew for each connection, for the password may be rotated.
    pub password_file: Option<PathBuf>,
}

/// Why there is no link. The texts are for people and never contain the password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// The password file cannot be read.
    #[error("cannot read the password file {path}: {why}")]
    PasswordFile {
        /// The file.
        path: String,
        /// What the system says.
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
    /// Redis wants a password and there is none.
    #[error("Redis at {at} asks for a password; name a file that holds it in REDIS_PASSWORD_FILE")]
    NoPassword {
        /// Host and port.
        at: String,
    },
    /// There is no Redis, or not a usable one.
    #[error("cannot use Redis at {at}: {why}")]
    Unusable {
        /// Host and port.
        at: String,
        /// What the system or Redis says.
        why: String,
    },
    /// It takes no writes, and what is published there reaches few. Behind its name there may soon be another one.
    #[error(
        "Redis at {at} is a replica, which takes no writes; trying again until the name leads to the master"
    )]
    Replica {
        /// Host and port.
        at: String,
    },
    /// The connection was there, and is gone.
    #[error("lost the connection to Redis at {at}: {why}")]
    Lost {
        /// Host and port.
        at: String,
        /// What was noticed.
        why: String,
    },
}

impl RedisSettings {
    /// Host and port, for people.
    pub fn at(&self) -> String {
        format!("{}:{}", self.host, self.port)
    }

    /// The password as it is now, without the line break that editors add.
    ///
    /// # Errors
    /// [`LinkError::PasswordFile`].
    pub fn password(&self) -> Result<Option<String>, LinkError> {
        let Some(path) = &self.password_file else { return Ok(None) };
        let text = std::fs::read_to_string(path).map_err(|error| LinkError::PasswordFile {
            path: path.display().to_string(),
            why: error.to_string(),
        })?;
        Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
    }

    /// What an error while connecting means.
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

    /// There is a replica.
    pub fn replica(&self) -> LinkError {
        LinkError::Replica { at: self.at() }
    }

    /// What an error of an established connection means.
    pub fn lost(&self, why: &dyn std::fmt::Display) -> LinkError {
        LinkError::Lost { at: self.at(), why: why.to_string() }
    }
}

/// Keeps the state of the link for whoever asks, and logs each change once.
#[derive(Debug)]
pub struct LinkState {
    state: watch::Sender<Result<(), LinkError>>,
    metrics: Arc<Metrics>,
    was_up: bool,
}

impl LinkState {
    /// Not connected yet.
    pub fn new(settings: &RedisSettings, metrics: Arc<Metrics>) -> Self {
        let connecting = LinkError::Unusable { at: settings.at(), why: "still connecting".into() };
        Self { state: watch::Sender::new(Err(connecting)), metrics, was_up: false }
    }

    /// For whoever asks.
    pub fn watch(&self) -> watch::Receiver<Result<(), LinkError>> {
        self.state.subscribe()
    }

    /// Subscribed.
    pub fn up(&mut self, at: &str, rooms: usize) {
        tracing::info!(redis = at, rooms, "subscribed on the backplane");
        self.metrics.backplane_connected.set(1);
        self.metrics.backplane_reconnects.inc_by(u64::from(self.was_up));
        self.was_up = true;
        let _was = self.state.send_replace(Ok(()));
    }

    /// Not subscribed, for a reason. The same reason again is no news.
    pub fn down(&self, reason: LinkError) {
        self.metrics.backplane_connected.set(0);
        self.state.send_if_modified(|state| {
            let news = state.as_ref() != Err(&reason);
            if news {
                tracing::warn!(reason = %reason, "no backplane; trying again until there is one");
                *state = Err(reason);
            }
            news
        });
    }
}

/// Waits longer after each failure, and never the same as its peers: a Redis that comes back is not overrun.
#[derive(Debug, Default)]
pub struct Backoff {
    failures: u32,
}

impl Backoff {
    const FIRST: Duration = Duration::from_millis(100);
    const LONGEST: Duration = Duration::from_secs(5);

    /// Starts anew.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How long to wait now: between half and all of a time that doubles, up to 5 s.
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
