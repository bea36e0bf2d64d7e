//! When something was last heard of a client, and said to it: written for each message, read once a second by
//! the heartbeat, which serves all connections with one timer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// See the module. Times are milliseconds since the hub's start.
#[derive(Debug)]
pub struct Pulse {
    start: Instant,
    since: u64,
    heard: AtomicU64,
    said: AtomicU64,
    /// The client's handshake is done.
    shaken: AtomicBool,
    /// When the client's permission ends; `u64::MAX`: never.
    expires: AtomicU64,
}

impl Pulse {
    /// Of a connection that comes in now, for a hub that began at `start`.
    pub fn new(start: Instant) -> Self {
        let now = millis(start.elapsed());
        Self {
            start,
            since: now,
            heard: AtomicU64::new(now),
            said: AtomicU64::new(now),
            shaken: AtomicBool::new(false),
            expires: AtomicU64::new(u64::MAX),
        }
    }

    /// The client said something.
    pub fn heard(&self) {
        self.heard.store(self.now(), Ordering::Relaxed);
    }

    /// Something was said to the client.
    pub fn said(&self) {
        self.said.store(self.now(), Ordering::Relaxed);
    }

    /// The client's handshake is done.
    pub fn shaken(&self) {
        self.shaken.store(true, Ordering::Relaxed);
    }

    /// Whether the client's handshake is done.
    pub fn is_shaken(&self) -> bool {
        self.shaken.load(Ordering::Relaxed)
    }

    /// The client's permission ends then.
    pub fn expires_in(&self, time: Duration) {
        self.expires.store(self.now().saturating_add(millis(time)), Ordering::Relaxed);
    }

    /// How long the client has been silent.
    pub fn silence(&self) -> Duration {
        self.since(self.heard.load(Ordering::Relaxed))
    }

    /// How long nothing was said to the client.
    pub fn quiet(&self) -> Duration {
        self.since(self.said.load(Ordering::Relaxed))
    }

    /// How long ago the connection came in.
    pub fn age(&self) -> Duration {
        self.since(self.since)
    }

    /// Whether the client's permission has ended.
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
