//! How long things take at most.

use std::time::Duration;

/// How long things take at most. The defaults are those of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the head of a request, and from there to the client's handshake.
    pub handshake: Duration,
    /// Between two pings of the hub.
    pub ping: Duration,
    /// Without a word from a client, before it is taken for gone; clients ping every 15 s.
    pub silence: Duration,
    /// For a client to take its last words and to close its side.
    pub linger: Duration,
    /// For a client to answer another one.
    pub answer: Duration,
    /// All clients of a hub that shuts down are let go within this time.
    pub drain: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            answer: Duration::from_secs(30),
            drain: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// The shortest of those that the heartbeat looks after.
    pub fn shortest(&self) -> Duration {
        self.handshake.min(self.ping).min(self.silence)
    }
}
