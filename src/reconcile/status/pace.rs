//! Decides when a status is written: at once if it reports readiness or a problem, and later if it only
//! reports a step on the way. While a thousand clusters are created, most steps are overtaken before anybody
//! reads them.

use std::time::Duration;

use chatcluster_api::{ChatClusterStatus, ConditionType, Reason};

/// The least time between two statuses of a cluster if the second only reports a step.
const STEP: Duration = Duration::from_secs(2);
/// The same while many clusters wait, so that each writes one status while all of them are created.
const STEP_WHILE_BUSY: Duration = Duration::from_secs(8);

/// Returns how long to wait before the status `after` is written over `before`. `ago` is the time since
/// `before` was written, or the cluster was first seen. `is_busy` is true while many other clusters wait.
pub(crate) fn pause(
    before: &ChatClusterStatus,
    after: &ChatClusterStatus,
    ago: Duration,
    is_busy: bool,
) -> Duration {
    if is_awaited(before, after) {
        return Duration::ZERO;
    }
    let step = if is_busy { STEP_WHILE_BUSY } else { STEP };
    step.saturating_sub(ago)
}

/// True if the cluster has become ready or has ceased to be, or has a new problem.
fn is_awaited(before: &ChatClusterStatus, after: &ChatClusterStatus) -> bool {
    let is_problem = |reason: &str| Reason::ALL.iter().any(|r| r.is_problem() && r.as_str() == reason);
    let had = |reason: &str| before.conditions.iter().any(|condition| condition.reason == reason);
    before.holds(ConditionType::Ready) != after.holds(ConditionType::Ready)
        || after.conditions.iter().any(|now| is_problem(&now.reason) && !had(&now.reason))
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
    use k8s_openapi::jiff::Timestamp;

    fn status(conditions: &[(ConditionType, &str, Reason)]) -> ChatClusterStatus {
        let conditions = conditions.iter().map(|(type_, holds, reason)| Condition {
            type_: type_.as_str().to_owned(),
            status: (*holds).to_owned(),
            reason: reason.as_str(),
            message: String::new(),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        });
        ChatClusterStatus { conditions: conditions.collect(), ..ChatClusterStatus::default() }
    }

    fn hubs(reason: Reason) -> ChatClusterStatus {
        status(&[(ConditionType::Ready, "False", reason), (ConditionType::HubReady, "False", reason)])
    }

    #[test]
    fn what_is_ready_is_said_at_once_and_so_is_a_problem() {
        let (rolling, at_once) = (hubs(Reason::RollingOut), Duration::ZERO);
        let ready = status(&[(ConditionType::Ready, "True", Reason::Ready)]);

        assert_eq!(pause(&rolling, &ready, Duration::ZERO, true), at_once);
        assert_eq!(pause(&ready, &rolling, Duration::ZERO, true), at_once);
        assert_eq!(pause(&rolling, &hubs(Reason::ImagePullFailed), Duration::ZERO, true), at_once);
    }

    #[test]
    fn a_step_waits_for_two_seconds_and_for_eight_while_many_clusters_wait() {
        let (one, two) = (hubs(Reason::RollingOut), hubs(Reason::RedisStarting));
        let there = status(&[(ConditionType::HubReady, "True", Reason::Ready)]);
        let seconds = Duration::from_secs;

        for after in [two, there] {
            for (ago, is_busy, left) in [(0, false, 2), (0, true, 8), (5, false, 0), (5, true, 3)] {
                assert_eq!(pause(&one, &after, seconds(ago), is_busy), seconds(left), "{ago} s ago");
            }
        }
    }
}
