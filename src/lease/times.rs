//! The times of client-go's leader election, which API servers everywhere bear well.

use std::time::Duration;

/// How long a Lease holds without being renewed.
pub(super) const DURATION: Duration = Duration::from_secs(15);
/// A leader that has not renewed for this long takes its Lease for lost: well before others do. What it sent before has
/// the rest of the time to arrive.
pub(super) const DEADLINE: Duration = Duration::from_secs(10);
/// Between two renewals.
pub(super) const RENEWAL: Duration = Duration::from_secs(2);
/// Between two looks of one that waits, and before another try after a failure.
pub(super) const LOOK: Duration = Duration::from_secs(1);
/// How long one request may take: an API server may be slow, and another request, on a new connection, must have time before
/// the deadline.
pub(super) const ATTEMPT: Duration = Duration::from_secs(5);
/// How long giving the Lease back may take: the kubelet waits 10 seconds for the process to end, and the last reconciles
/// have had 5 of them.
pub(super) const RELEASE: Duration = Duration::from_secs(3);
