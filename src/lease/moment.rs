//! Moments on two clocks.

use std::time::{Duration, Instant, SystemTime};

/// A moment on the monotonic clock and on the wall clock.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moment {
    monotonic: Instant,
    wall: SystemTime,
}

impl Moment {
    /// Returns the present moment.
    pub fn now() -> Self {
        Self { monotonic: Instant::now(), wall: SystemTime::now() }
    }

    /// Returns the least time that has passed since `earlier`: by the monotonic clock, which nobody sets. For
    /// operators that wait until the Lease of another expires.
    pub fn at_least_since(self, earlier: Self) -> Duration {
        self.monotonic.saturating_duration_since(earlier.monotonic)
    }

    /// Returns the most time that may have passed since `earlier`: by the clock that went further. The
    /// monotonic clock runs while the process is stopped, but not while the machine is suspended; the wall
    /// clock is corrected after that. For a leader, which must know that its own Lease has not expired.
    pub fn at_most_since(self, earlier: Self) -> Duration {
        self.at_least_since(earlier).max(self.wall.duration_since(earlier.wall).unwrap_or_default())
    }

    /// Returns the moment `time` before this one.
    #[cfg(test)]
    pub(crate) fn before(self, time: Duration) -> Self {
        Self { monotonic: self.monotonic.checked_sub(time).unwrap(), wall: self.wall - time }
    }

    /// Returns this moment after both clocks have moved on by these times.
    #[cfg(test)]
    pub(super) fn after(self, monotonic: u64, wall: u64) -> Self {
        Self {
            monotonic: self.monotonic + Duration::from_secs(monotonic),
            wall: self.wall + Duration::from_secs(wall),
        }
    }
}
