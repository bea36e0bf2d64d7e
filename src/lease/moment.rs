//! Moments, by two clocks.

use std::time::{Duration, Instant, SystemTime};

/// A moment as the monotonic clock and the wall clock show it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// This moment.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// How much time has passed at least since `earlier`: by the monotonic clock, which nobody sets. For those who wait for
    /// another's Lease to expire.
    pub fn at_least_since(self, earlier: Self) -> Duration {
        self.monotonic.saturating_duration_since(earlier.monotonic)
    }

    /// How much time may have passed since `earlier`: by the clock that has gone further. The monotonic one goes on
    /// while the process is stopped, but not while the machine is suspended; the wall clock is put right after that. For
    /// those who must know that their own Lease has not expired.
    pub fn at_most_since(self, earlier: Self) -> Duration {
        self.at_least_since(earlier).max(self.wall.duration_since(earlier.wall).unwrap_or_default())
    }

    /// The moment so long before.
    #[cfg(test)]
    pub(crate) fn before(self, time: Duration) -> Self {
        Self { monotonic: self.monotonic.checked_sub(time).unwrap(), wall: self.wall - time }
    }

    /// This moment after both clocks have moved on by so much.
    #[cfg(test)]
    pub(super) fn after(self, monotonic: u64, wall: u64) -> Self {
        Self {
            monotonic: self.monotonic + Duration::from_secs(monotonic),
            wall: self.wall + Duration::from_secs(wall),
        }
    }
}
