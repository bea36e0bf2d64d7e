//! When something was last heard of a client, and said to it: written for each message, read once a second by
//! the keep-alive task, which serves all connections with one timer.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// See the module. Times are milliseconds since the hub's start.
#[derive(Debug)]
pub struct Activity {
    start: Instant,
    accepted: u64,
    received: AtomicU64,
    sent: AtomicU64,
    /// The client's handshake is done.
    handshaken: AtomicBool,
    /// When the client's permission ends; `u64::MAX`: never.
    expires: AtomicU64,
}

impl Activity {
    /// Of a connection that comes in now, for a hub that began at `start`.
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

    /// The client said something.
    pub fn received_now(&self) {
        self.received.store(self.now(), Ordering::Relaxed);
    }

    /// Something was said to the client.
    pub fn sent_now(&self) {
        self.sent.store(self.now(), Ordering::Relaxed);
    }

    /// The client's handshake is done.
    pub fn handshake_done(&self) {
        self.handshaken.store(true, Ordering::Relaxed);
    }

    /// Whether the client's handshake is done.
    pub fn is_handshaken(&self) -> bool {
        self.handshaken.load(Ordering::Relaxed)
    }

    /// The client's permission ends then.
    pub fn expires_in(&self, time: Duration) {
        self.expires.store(self.now().saturating_add(millis(time)), Ordering::Relaxed);
    }

    /// How long the client has been silent.
    pub fn since_received(&self) -> Duration {
        self.since(self.received.load(Ordering::Relaxed))
    }

    /// How long nothing was said to the client.
    pub fn since_sent(&self) -> Duration {
        self.since(self.sent.load(Ordering::Relaxed))
    }

    /// How long ago the connection came in.
    pub fn age(&self) -> Duration {
        self.since(self.accepted)
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
