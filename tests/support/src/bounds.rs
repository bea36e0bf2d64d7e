//! The bounds of waits: far more than it takes, because the machine may be busy.

use std::time::Duration;

/// The bound for one reconcile and a few requests to the API server, which take about a second.
pub const SOON: Duration = Duration::from_mins(1);

/// The bound for pods to start or end: it takes ten seconds on two cores, more while other tests do the same.
pub const PODS: Duration = Duration::from_mins(3);

/// The time in which nothing must happen to be sure that it will not: the only wait without a condition.
pub const A_WHILE: Duration = Duration::from_secs(3);
