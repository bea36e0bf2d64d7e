//! The times of leader election. They are client-go's, which API servers everywhere cope with.

use std::time::Duration;

/// The time after which a Lease that is not renewed expires.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// The time after which a leader that could not renew considers its Lease lost. Others do so only later:
/// requests that it has sent have the rest of the time to arrive.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// The interval between two renewals.
pub(super) const RENEWAL: Duration = Duration::from_secs(2);
/// The interval at which a waiting operator looks, and the pause after a failed attempt.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// The time limit of one request. An API server may be slow, and a second request, on a new connection, must
/// fit in before the deadline.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
/// The time limit for releasing the Lease. The kubelet waits 10 seconds for the process to end, and the last
/// reconciles may take 5 of them.
pub(super) const RELEASE: Duration = Duration::from_secs(3);
