//! When a status is written: at once where it says what someone waits for or should look at, and not with each step on the
//! way there. Of a thousand clusters that come up, most steps are overtaken by the next before anybody has read them.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use chatcluster_api::{ChatClusterStatus, ConditionType, Reason};

/// Between two statuses of which one has a condition that holds, and the other has not.
const STEP: Duration = Duration::from_secs(2);
/// Between two statuses that differ in reasons or numbers only, at most: one follows the other by [`STEP`], the next by
/// twice as much, and so on. While many clusters wait, between any two of which none says what someone waits for.
const LONGEST: Duration = Duration::from_secs(8);

/// When the status of a cluster was written, and how often since a condition changed.
#[derive(Debug)]
pub(crate) struct Pace {
    since: Instant,
    details: u32,
}

impl Pace {
    /// Of a cluster that was first seen at `now`.
    pub(crate) fn new(now: Instant) -> Self {
        Self { since: now, details: 0 }
    }

    /// For how long `after`, which differs from `before`, the status as it is, need not be written yet. `is_busy`: whether many other
    /// clusters wait for more than that.
    pub(crate) fn wait(
        &self,
        before: &ChatClusterStatus,
        after: &ChatClusterStatus,
        now: Instant,
        is_busy: bool,
    ) -> Duration {
        let pause = match Step::between(before, after) {
            Step::End => Duration::ZERO,
            _ if is_busy => LONGEST,
            Step::Condition => STEP,
            Step::Detail => (STEP * 2_u32.saturating_pow(self.details)).min(LONGEST),
        };
        (self.since + pause).saturating_duration_since(now)
    }

    /// `after` was written over `before` at `now`.
    pub(crate) fn wrote(&mut self, before: &ChatClusterStatus, after: &ChatClusterStatus, now: Instant) {
        self.since = now;
        self.details = match Step::between(before, after) {
            Step::End | Step::Condition => 0,
            Step::Detail => self.details.saturating_add(1).min(8),
        };
    }
}

/// How far it is from one status to another.
#[derive(Debug, PartialEq)]
enum Step {
    /// The cluster is ready, or no longer, or has a problem that it had not.
    End,
    /// A condition holds, or holds no longer; or it is of another spec.
    Condition,
    /// All else.
    Detail,
}

impl Step {
    fn between(before: &ChatClusterStatus, after: &ChatClusterStatus) -> Self {
        let is_problem = |reason: &str| Reason::ALL.iter().any(|r| r.is_problem() && r.as_str() == reason);
        let had = |reason: &str| before.conditions.iter().any(|condition| condition.reason == reason);
        let (held, holds) = (holding(before), holding(after));
        let ready = ConditionType::Ready.as_str();
        if held.contains(ready) != holds.contains(ready)
            || after.conditions.iter().any(|now| is_problem(&now.reason) && !had(&now.reason))
        {
            Self::End
        } else if held != holds
            || before.observed_generation != after.observed_generation
            || before.pending != after.pending
        {
            Self::Condition
        } else {
            Self::Detail
        }
    }
}

/// The conditions that hold.
fn holding(status: &ChatClusterStatus) -> BTreeSet<&str> {
    let holding = status.conditions.iter().filter(|condition| condition.status == "True");
    holding.map(|condition| condition.type_.as_str()).collect()
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
        let (rolling, now) = (hubs(Reason::RollingOut), Instant::now());
        let pace = Pace::new(now);
        let ready = status(&[(ConditionType::Ready, "True", Reason::Ready)]);

        assert_eq!(pace.wait(&rolling, &ready, now, false), Duration::ZERO);
        assert_eq!(pace.wait(&ready, &rolling, now, false), Duration::ZERO);
        assert_eq!(pace.wait(&rolling, &hubs(Reason::ImagePullFailed), now, true), Duration::ZERO);
    }

    #[test]
    fn steps_wait_while_many_clusters_do() {
        let (one, two, now) = (hubs(Reason::RollingOut), hubs(Reason::RedisStarting), Instant::now());
        let there = status(&[(ConditionType::HubReady, "True", Reason::Ready)]);

        for after in [two, there] {
            assert_eq!(Pace::new(now).wait(&one, &after, now, true), LONGEST);
        }
    }

    #[test]
    fn a_condition_waits_for_two_seconds_and_details_ever_longer() {
        let (mut pace, mut now) = (Pace::new(Instant::now()), Instant::now());
        let none = ChatClusterStatus::default();
        let (one, two) = (hubs(Reason::RollingOut), hubs(Reason::RedisStarting));
        let there = status(&[(ConditionType::HubReady, "True", Reason::Ready)]);

        for seconds in [2, 4, 8, 8] {
            assert_eq!(pace.wait(&one, &two, pace.since, false), Duration::from_secs(seconds));
            now += Duration::from_secs(9);
            assert_eq!(pace.wait(&one, &two, now, false), Duration::ZERO, "it has waited");
            pace.wrote(&one, &two, now);
        }
        assert_eq!(pace.wait(&none, &there, now, false), STEP);
        pace.wrote(&none, &there, now);
        assert_eq!(pace.wait(&one, &two, now, false), STEP);
    }
}
