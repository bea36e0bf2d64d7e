//! How long things take at most.

use std::time::Duration;

/// How long things take at most. The defaults are those of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For the head of a request, and from there to the client's handshake.
    pub handshake: Duration,
    /// Between two pings of the hub.
    pub ping: Duration,
    /// Without a word from a client, before it is taken for gone; clients ping every 15 s.
    pub silence: Duration,
    /// For a client to take its last words and to close its side.
    pub linger: Duration,
    /// For a client to answer another one.
    pub client_result: Duration,
    /// All clients of a hub that shuts down are let go within this time.
    pub drain: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            client_result: Duration::from_secs(30),
            drain: Duration::from_secs(2),
        }
    }
}

impl Timeouts {
    /// The shortest of the timeouts that the keep-alive task watches.
    pub fn shortest(&self) -> Duration {
        self.handshake.min(self.ping).min(self.silence)
    }
}
