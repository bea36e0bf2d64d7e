//! Decides what to do about a Lease, from its content and the time at which it was read. Pure.

use std::time::Duration;

use k8s_openapi::api::coordination::v1::LeaseSpec;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::MicroTime;
use k8s_openapi::jiff::Timestamp;

use super::moment::Moment;
use super::times::DURATION;

/// The next step of an election.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Step {
    /// Write this spec over the one that was read.
    Take(LeaseSpec),
    /// Wait: another operator holds the Lease.
    Wait,
}

/// The election as one operator sees it.
#[derive(Debug)]
pub(super) struct Elector {
    identity: String,
    /// The Lease as it last changed, and the moment at which the change was seen.
    seen: Option<(LeaseSpec, Moment)>,
}

impl Elector {
    pub(super) fn new(identity: &str) -> Self {
        Self { identity: identity.to_owned(), seen: None }
    }

    /// Returns the holder of the Lease when it was last read.
    pub(super) fn holder(&self) -> String {
        self.seen.as_ref().and_then(|(spec, _)| spec.holder_identity.clone()).unwrap_or_default()
    }

    /// Remembers the Lease that was read at `now`.
    pub(super) fn see(&mut self, lease: Option<&LeaseSpec>, now: Moment) {
        if let Some(current) = lease
            && self.seen.as_ref().is_none_or(|(spec, _)| spec != current)
        {
            self.seen = Some((current.clone(), now));
        }
    }

    /// Returns the next step for the Lease that was read at `now`. `wall` is the time to write into it.
    pub(super) fn decide(&mut self, lease: Option<&LeaseSpec>, now: Moment, wall: Timestamp) -> Step {
        self.see(lease, now);
        // The holder of a Lease that was deleted may not know that yet.
        let Some((last, at)) = &self.seen else { return Step::Take(self.taken(None, wall)) };
        let holder = last.holder_identity.as_deref().unwrap_or_default();
        let duration = last.lease_duration_seconds.and_then(|s| u64::try_from(s).ok());
        let expired = now.at_least_since(*at) > duration.map_or(DURATION, Duration::from_secs);
        // A Lease under our own name belongs to an earlier container of this pod, which has ended.
        if holder.is_empty() || holder == self.identity || expired {
            Step::Take(self.taken(Some(last), wall))
        } else {
            Step::Wait
        }
    }

    /// Returns the Lease with this operator as its new holder.
    fn taken(&self, before: Option<&LeaseSpec>, wall: Timestamp) -> LeaseSpec {
        let transitions = before.map(|b| b.lease_transitions.unwrap_or(0));
        LeaseSpec {
            holder_identity: Some(self.identity.clone()),
            lease_duration_seconds: i32::try_from(DURATION.as_secs()).ok(),
            acquire_time: Some(MicroTime(wall)),
            renew_time: Some(MicroTime(wall)),
            lease_transitions: Some(transitions.map_or(0, |count| count.saturating_add(1))),
            ..LeaseSpec::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wall(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn held(by: &str, renewed: i64) -> LeaseSpec {
        LeaseSpec {
            holder_identity: Some(by.to_owned()),
            lease_duration_seconds: Some(15),
            renew_time: Some(MicroTime(wall(renewed))),
            lease_transitions: Some(3),
            ..LeaseSpec::default()
        }
    }

    fn takes(step: Step) -> Option<LeaseSpec> {
        match step {
            Step::Take(spec) => Some(spec),
            Step::Wait => None,
        }
    }

    #[test]
    fn a_lease_that_is_not_there_is_made() {
        let taken = takes(Elector::new("a").decide(None, Moment::now(), wall(0))).unwrap();

        assert_eq!(taken.holder_identity.as_deref(), Some("a"));
        assert_eq!(taken.lease_transitions, Some(0));
    }

    #[test]
    fn a_lease_that_was_given_back_is_taken_at_once() {
        let taken = takes(Elector::new("a").decide(Some(&held("", 0)), Moment::now(), wall(7))).unwrap();

        assert_eq!(taken.lease_transitions, Some(4));
        assert_eq!(taken.acquire_time, Some(MicroTime(wall(7))));
    }

    #[test]
    fn expiry_counts_from_when_a_renewal_was_first_seen_whatever_its_time_says() {
        let (mut elector, start) = (Elector::new("a"), Moment::now());
        let mut decide = |renewed, second: u64| {
            elector.decide(Some(&held("b", renewed)), start.after(second, second), wall(0))
        };

        // The holder's clock is far behind ours.
        assert_eq!(decide(-9_999, 0), Step::Wait);
        assert_eq!(decide(-9_999, 15), Step::Wait);
        assert_eq!(decide(-9_990, 16), Step::Wait);
        assert_eq!(decide(-9_990, 31), Step::Wait);
        assert!(takes(decide(-9_990, 32)).is_some());
    }

    #[test]
    fn a_clock_that_is_set_forward_expires_nothing() {
        let (mut elector, start) = (Elector::new("a"), Moment::now());
        elector.decide(Some(&held("b", 0)), start, wall(0));

        assert_eq!(elector.decide(Some(&held("b", 0)), start.after(1, 3600), wall(3600)), Step::Wait);
    }

    #[test]
    fn a_former_life_of_the_same_pod_is_no_competitor() {
        let taken = takes(Elector::new("a").decide(Some(&held("a", 0)), Moment::now(), wall(9))).unwrap();

        assert_eq!(taken.lease_transitions, Some(4), "another term");
    }

    #[test]
    fn one_that_is_deleted_while_someone_holds_it_is_made_again_when_it_would_have_expired() {
        let (mut elector, start) = (Elector::new("a"), Moment::now());
        elector.decide(Some(&held("b", 0)), start, wall(0));

        assert_eq!(elector.decide(None, start.after(15, 15), wall(0)), Step::Wait);
        assert!(takes(elector.decide(None, start.after(16, 16), wall(0))).is_some());
    }
}
