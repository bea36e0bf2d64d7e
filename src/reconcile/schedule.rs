//! When a cluster is looked at again if nothing happens to it before: every rule for that is here, but for how long a status may
//! stay unwritten ([`super::status`]), which depends on what it says.

use std::time::Duration;

use chatcluster_api::VerifyMode;

use super::observe::Report;

/// The pause after which a child is written again that something prevents from being written: an object that is not ours, a
/// quota. No watch tells when that has gone.
const BLOCKED: Duration = Duration::from_secs(5);
/// The pause after which Redis is asked again while it does not answer, or does not show a hub subscribed.
const UNVERIFIED: Duration = Duration::from_secs(1);
/// The pause after writes, should the watches be slow to tell of them.
const WRITES_UNSEEN: Duration = Duration::from_secs(1);
/// The pause after which a cluster is looked at that is as it should be; from caches, without a request.
const SETTLED: Duration = Duration::from_mins(5);
/// The pause after a first failure, of which a random half is left out. It doubles with each failure that follows.
const SHORTEST_BACK_OFF: Duration = Duration::from_millis(500);
/// The longest pause after failures.
const LONGEST_BACK_OFF: Duration = Duration::from_mins(1);
/// The pause between two times that the recovery of the API server has all clusters reconciled at once whose reconciles failed,
/// rather than when their back-off ends.
pub(crate) const RECOVERY: Duration = Duration::from_secs(5);

/// How a reconcile ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ended {
    /// The cluster is being deleted, or its children are left behind. The watches tell of all that follows.
    Leaving,
    /// The cluster has a newer spec than the reconcile was given.
    Superseded,
    /// Children were written. The watches tell of these writes, and the reconcile that follows writes the status for both.
    Wrote,
    /// The status has changed, and need not be written before the pause is over.
    Paced {
        /// How long the status may stay as it is.
        pause: Duration,
        /// What the cluster waits for meanwhile.
        waits_for: WaitsFor,
    },
    /// The status says all there is to say.
    Complete(WaitsFor),
    /// The reconcile failed, as the last of this many in a row.
    Failed(u32),
}

/// What a cluster waits for that no watch tells of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum WaitsFor {
    /// Nothing.
    Nothing,
    /// Redis to answer, or a hub to subscribe.
    Redis,
    /// Something to go that prevents a child from being written.
    Obstacle,
}

impl WaitsFor {
    /// What a cluster waits for. `report`: what Redis said. `unseen`: the ready hubs that it did not show subscribed. `is_blocked`:
    /// whether a child could not be written.
    pub(super) fn of(report: &Report, unseen: &[String], verify: VerifyMode, is_blocked: bool) -> Self {
        let redis = match report {
            Report::NotAsked => false,
            Report::Unreachable { .. } | Report::Rejected => true,
            Report::Answers(_) => !unseen.is_empty() && verify == VerifyMode::Backplane,
        };
        match (is_blocked, redis) {
            (true, _) => Self::Obstacle,
            (false, true) => Self::Redis,
            (false, false) => Self::Nothing,
        }
    }

    /// Varied by a tenth, so that clusters that were made together do not stay together.
    fn pause(self, random: f64) -> Duration {
        let pause = match self {
            Self::Nothing => SETTLED,
            Self::Redis => UNVERIFIED,
            Self::Obstacle => BLOCKED,
        };
        pause.mul_f64(0.9 + 0.2 * random)
    }
}

/// How long after a reconcile that ended so the cluster is looked at again; `None`: only when something happens to it.
/// `random`: at least 0 and less than 1.
pub(crate) fn next(ended: Ended, random: f64) -> Option<Duration> {
    match ended {
        Ended::Leaving => None,
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
        next(ended, random).map(|pause| (pause.as_secs_f64() * 1000.0).round() / 1000.0)
    }

    #[test]
    fn a_cluster_that_leaves_is_not_looked_at_again() {
        assert_eq!(next(Ended::Leaving, 0.5), None);
    }

    #[test]
    fn a_newer_spec_is_reconciled_at_once_and_writes_wait_for_the_watches() {
        assert_eq!(next(Ended::Superseded, 0.5), Some(Duration::ZERO));
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

        assert_eq!(waits_for(Report::Rejected, true), WaitsFor::Obstacle);
        assert_eq!(waits_for(Report::Rejected, false), WaitsFor::Redis);
        assert_eq!(waits_for(Report::NotAsked, false), WaitsFor::Nothing);
    }

    #[test]
    fn redis_is_asked_again_while_a_hub_is_not_subscribed_that_has_to_be() {
        let waits_for = |unseen: &[&str], verify| {
            let unseen: Vec<String> = unseen.iter().map(|pod| (*pod).to_owned()).collect();
            WaitsFor::of(&Report::Answers(Vec::new()), &unseen, verify, false)
        };

        assert_eq!(waits_for(&["lobby-hub-a"], VerifyMode::Backplane), WaitsFor::Redis);
        assert_eq!(waits_for(&["lobby-hub-a"], VerifyMode::Readiness), WaitsFor::Nothing);
        assert_eq!(waits_for(&[], VerifyMode::Backplane), WaitsFor::Nothing);
    }
}
