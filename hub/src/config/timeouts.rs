//! The timeouts and intervals of a hub.

use std::time::Duration;

/// The timeouts and intervals of a hub. The defaults are those of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// The timeout for the head of a request, and from then on for the client's handshake.
    pub handshake: Duration,
    /// The time without a message to a client after which the hub sends a ping.
    pub ping: Duration,
    /// The silence of a client after which it counts as gone; clients ping every 15 s.
    pub silence: Duration,
    /// The timeout for a client to receive the last messages and to close its side.
    pub linger: Duration,
    /// The timeout for a client to complete an invocation by another client.
    pub client_result: Duration,
    /// The time within which a hub that shuts down disconnects all its clients.
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
