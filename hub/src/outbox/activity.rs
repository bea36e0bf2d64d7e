//! The times of a client's last messages in both directions. They are written for each message, and read once
//! a second by the keep-alive task, which serves all connections with one timer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// The times of a client's last messages, in milliseconds since the hub's start.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    accepted: u64,
    received: AtomicU64,
    sent: AtomicU64,
    /// True once the client's handshake is done.
    handshaken: AtomicBool,
    /// The time when the client's token expires; `u64::MAX`: never.
    expires: AtomicU64,
}

impl Activity {
    /// The activity of a connection that is accepted now, by a hub that started at `start`.
    pub fn new(start: Instant) -> Self {
        let now = millis(start.elapsed());
        Self {
            start,
            accepted: now,
            received: AtomicU64::new(now),
            sent: AtomicU64::new(now),
            handshaken: AtomicBool::new(false),
            expires: AtomicU64::new(u64::MAX),
        }
    }

    /// Notes that the client sent something.
    pub fn received_now(&self) {
        self.received.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that something was sent to the client.
    pub fn sent_now(&self) {
        self.sent.store(self.now(), Ordering::Relaxed);
    }

    /// Notes that the client's handshake is done.
    pub fn handshake_done(&self) {
        self.handshaken.store(true, Ordering::Relaxed);
    }

    /// True once the client's handshake is done.
    pub fn is_handshaken(&self) -> bool {
        self.handshaken.load(Ordering::Relaxed)
    }

    /// Sets the time from now until the client's token expires.
    pub fn expires_in(&self, time: Duration) {
        self.expires.store(self.now().saturating_add(millis(time)), Ordering::Relaxed);
    }

    /// The time since the client last sent something.
    pub fn since_received(&self) -> Duration {
        self.since(self.received.load(Ordering::Relaxed))
    }

    /// The time since something was last sent to the client.
    pub fn since_sent(&self) -> Duration {
        self.since(self.sent.load(Ordering::Relaxed))
    }

    /// The time since the connection was accepted.
    pub fn age(&self) -> Duration {
        self.since(self.accepted)
    }

    /// True once the client's token has expired.
    pub fn has_expired(&self) -> bool {
        self.expires.load(Ordering::Relaxed) <= self.now()
    }

    fn since(&self, then: u64) -> Duration {
        Duration::from_millis(self.now().saturating_sub(then))
    }

    fn now(&self) -> u64 {
        millis(self.start.elapsed())
    }
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
