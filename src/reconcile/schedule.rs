//! The time after which a cluster is reconciled again if nothing happens to it before. Every rule for that is
//! here, except how long a status may stay unwritten ([`super::status`]), which depends on its content.

use std::time::Duration;

use chatcluster_api::VerifyMode;

use super::observe::RedisReport;

/// The pause before another attempt to write a child that something blocks: an object that is not ours, a
/// quota. No watch reports that the obstacle has gone.
const BLOCKED: Duration = Duration::from_secs(5);
/// The pause before Redis is asked again while it does not answer, or does not show a hub subscribed.
const UNVERIFIED: Duration = Duration::from_secs(1);
/// The pause after writes to children, in case the watches are slow to deliver them.
const WRITES_UNSEEN: Duration = Duration::from_secs(1);
/// The pause between reconciles of a cluster that is as desired. They read from caches, without a request.
const SETTLED: Duration = Duration::from_mins(5);
/// The shortest pause after a first failure. The longest is twice that, and the pause is a random one between
/// them. Both double with each failure that follows.
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(500);
/// The longest pause after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(1);
/// The shortest pause between two recoveries of the API server after which all failing clusters are
/// reconciled at once, rather than when their back-off ends.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

/// The way in which a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The cluster is being deleted, or its children were orphaned. The watches deliver all that follows.
    Terminating,
    /// The cluster has a newer spec than the reconcile was given.
    Superseded,
    /// Children were written. The watches deliver these writes, and the reconcile that follows writes the
    /// status for both.
    Wrote,
    /// The status has changed, but need not be written before the pause is over.
    Paced {
        /// The time for which the status may stay unwritten.
        pause: Duration,
        /// The event that the cluster waits for meanwhile.
        waits_for: WaitsFor,
    },
    /// The status is up to date.
    Complete(WaitsFor),
    /// The reconcile failed. The number counts the failures in a row.
    Failed(u32),
}

/// An event that a cluster waits for and that no watch delivers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// No such event.
    Nothing,
    /// An answer of Redis, or the subscription of a hub.
    Redis,
    /// The removal of an obstacle that prevents a child from being written.
    Obstacle,
}

impl WaitsFor {
    /// Returns the event that a cluster waits for. `report`: the last answer of Redis. `unsubscribed`: the
    /// ready hubs that Redis did not show subscribed. `is_blocked`: true if a child could not be written.
    pub(super) fn of(
        report: &RedisReport,
        unsubscribed: &[String],
        verify: VerifyMode,
        is_blocked: bool,
    ) -> Self {
        let redis = match report {
            RedisReport::NotAsked => false,
            RedisReport::Unreachable { .. } | RedisReport::PasswordRejected => true,
            RedisReport::Answers(_) => !unsubscribed.is_empty() && verify == VerifyMode::Backplane,
        };
        match (is_blocked, redis) {
            (true, _) => Self::Obstacle,
            (false, true) => Self::Redis,
            (false, false) => Self::Nothing,
        }
    }

    /// Returns the pause, varied by a tenth to either side, so that clusters that were created together do
    /// not stay in step. `random`: at least 0 and less than 1.
    fn pause(self, random: f64) -> Duration {
        let pause = match self {
            Self::Nothing => SETTLED,
            Self::Redis => UNVERIFIED,
            Self::Obstacle => BLOCKED,
        };
        pause.mul_f64(0.9 + 0.2 * random)
    }
}

/// Returns the time from the end of a reconcile to the next one if nothing happens to the cluster before;
/// `None`: there is no next one. `random`: at least 0 and less than 1.
pub(crate) fn requeue_after(ended: Ended, random: f64) -> Option<Duration> {
    match ended {
        Ended::Terminating => None,
        Ended::Superseded => Some(Duration::ZERO),
        Ended::Wrote => Some(WRITES_UNSEEN),
        Ended::Paced { pause, waits_for } => Some(pause.min(waits_for.pause(random))),
        Ended::Complete(waits_for) => Some(waits_for.pause(random)),
        Ended::Failed(in_a_row) => Some(back_off(in_a_row, random)),
    }
}

fn back_off(failures: u32, random: f64) -> Duration {
    let longest = SHORTEST_BACK_OFF.saturating_mul(1 << failures.min(10)).min(LONGEST_BACK_OFF);
    longest.mul_f64(0.5 + 0.5 * random)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(ended: Ended, random: f64) -> Option<f64> {
        requeue_after(ended, random).map(|pause| (pause.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    #[test]
    fn a_cluster_that_leaves_is_not_looked_at_again() {
        assert_eq!(requeue_after(Ended::Terminating, 0.5), None);
    }

    #[test]
    fn a_newer_spec_is_reconciled_at_once_and_writes_wait_for_the_watches() {
        assert_eq!(requeue_after(Ended::Superseded, 0.5), Some(Duration::ZERO));
        assert_eq!(seconds(Ended::Wrote, 0.9), Some(1.0));
    }

    #[test]
    fn what_no_watch_tells_of_is_looked_at_sooner_than_what_is_as_it_should_be() {
        assert_eq!(seconds(Ended::Complete(WaitsFor::Redis), 0.5), Some(1.0));
        assert_eq!(seconds(Ended::Complete(WaitsFor::Obstacle), 0.5), Some(5.0));
        assert_eq!(seconds(Ended::Complete(WaitsFor::Nothing), 0.5), Some(300.0));
    }

    #[test]
    fn looks_are_spread_by_a_tenth_to_either_side() {
        assert_eq!(seconds(Ended::Complete(WaitsFor::Nothing), 0.0), Some(270.0));
        assert_eq!(seconds(Ended::Complete(WaitsFor::Nothing), 0.75), Some(315.0));
    }

    #[test]
    fn a_status_is_written_when_it_is_due_unless_there_is_something_to_see_before() {
        let paced = |pause, waits_for| Ended::Paced { pause: Duration::from_secs(pause), waits_for };

        assert_eq!(seconds(paced(8, WaitsFor::Nothing), 0.5), Some(8.0));
        assert_eq!(seconds(paced(8, WaitsFor::Redis), 0.5), Some(1.0));
    }

    #[test]
    fn each_failure_doubles_the_pause_up_to_a_minute_of_which_a_random_half_is_left_out() {
        let pauses: Vec<_> = (1..=9).map(|failures| seconds(Ended::Failed(failures), 0.0).unwrap()).collect();

        assert_eq!(pauses, [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]);
        assert_eq!(seconds(Ended::Failed(u32::MAX), 0.5), Some(45.0));
    }

    #[test]
    fn an_obstacle_comes_before_redis() {
        let waits_for = |report, is_blocked| WaitsFor::of(&report, &[], VerifyMode::Backplane, is_blocked);

        assert_eq!(waits_for(RedisReport::PasswordRejected, true), WaitsFor::Obstacle);
        assert_eq!(waits_for(RedisReport::PasswordRejected, false), WaitsFor::Redis);
        assert_eq!(waits_for(RedisReport::NotAsked, false), WaitsFor::Nothing);
    }

    #[test]
    fn redis_is_asked_again_while_a_hub_is_not_subscribed_that_has_to_be() {
        let waits_for = |unsubscribed: &[&str], verify| {
            let unsubscribed: Vec<String> = unsubscribed.iter().map(|pod| (*pod).to_owned()).collect();
            WaitsFor::of(&RedisReport::Answers(Vec::new()), &unsubscribed, verify, false)
        };

        assert_eq!(waits_for(&["lobby-hub-a"], VerifyMode::Backplane), WaitsFor::Redis);
        assert_eq!(waits_for(&["lobby-hub-a"], VerifyMode::Readiness), WaitsFor::Nothing);
        assert_eq!(waits_for(&[], VerifyMode::Backplane), WaitsFor::Nothing);
    }
}
