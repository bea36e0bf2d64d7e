//! Whether this process may write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::moment::Moment;
use super::times::DEADLINE;

/// Whether this process may write: shared by the election, which knows, and the client, which asks before each write.
#[derive(Clone, Debug)]
pub struct Tenure(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug)]
enum State {
    /// Nobody to share the work with.
    Alone,
    /// Yet to learn whether another leads.
    Candidate,
    /// Another leads.
    StandingBy,
    /// Since before this moment's request the Lease is ours.
    Renewed(Moment),
    Over,
}

/// A write that was not made.
#[derive(Clone, Copy, Debug, Error)]
#[error("this operator does not lead (any longer): nothing is written")]
pub struct NotLeading;

impl Tenure {
    /// Of an operator without election: always.
    pub fn alone() -> Self {
        Self(Arc::new(Mutex::new(State::Alone)))
    }

    /// Of an operator that has yet to be elected.
    pub fn waiting() -> Self {
        Self(Arc::new(Mutex::new(State::Candidate)))
    }

    /// Whether this process may write at that moment.
    pub fn holds(&self, now: Moment) -> bool {
        !self.left(now).is_zero()
    }

    /// For how much longer this process may write.
    pub fn left(&self, now: Moment) -> Duration {
        match *self.state() {
            State::Alone => Duration::MAX,
            State::Renewed(sent) => DEADLINE.saturating_sub(now.at_most_since(sent)),
            State::Candidate | State::StandingBy | State::Over => Duration::ZERO,
        }
    }

    /// What keeps this operator from its work, if it is the election.
    pub fn waits_for(&self) -> Option<&'static str> {
        match *self.state() {
            State::Candidate => Some("not elected yet"),
            State::StandingBy => Some("standing by, another operator leads"),
            State::Alone | State::Renewed(_) | State::Over => None,
        }
    }

    /// Another operator was seen to lead.
    pub(crate) fn stand_by(&self) {
        let mut state = self.state();
        if matches!(*state, State::Candidate) {
            *state = State::StandingBy;
        }
    }

    /// The request that was sent then took or renewed the Lease.
    pub(crate) fn renew(&self, sent: Moment) {
        let mut state = self.state();
        if !matches!(*state, State::Over) {
            *state = State::Renewed(sent);
        }
    }

    /// For good.
    pub(crate) fn end(&self) {
        *self.state() = State::Over;
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::times::{ATTEMPT, DURATION, LOOK, RENEWAL};

    #[test]
    fn nothing_is_written_before_the_lease_is_taken_nor_after_it_was_given_back() {
        let (tenure, now) = (Tenure::waiting(), Moment::now());

        assert!(!tenure.holds(now));
        tenure.renew(now);
        assert!(tenure.holds(now));
        tenure.end();
        assert!(!tenure.holds(now));
        tenure.renew(now);
        assert!(!tenure.holds(now), "a late answer does not bring it back");
    }

    #[test]
    fn a_process_that_was_stopped_past_its_deadline_writes_nothing() {
        let (tenure, now) = (Tenure::waiting(), Moment::now());
        tenure.renew(now);

        assert!(tenure.holds(now.after(9, 9)));
        assert!(!tenure.holds(now.after(10, 10)));
    }

    #[test]
    fn nor_does_one_whose_machine_was_suspended() {
        let (tenure, now) = (Tenure::waiting(), Moment::now());
        tenure.renew(now);

        assert!(!tenure.holds(now.after(1, 3600)));
    }

    #[test]
    fn a_leader_gives_up_before_others_may_take_over_and_not_at_the_first_failure() {
        assert!(DEADLINE < DURATION);
        assert!(RENEWAL + ATTEMPT + LOOK < DEADLINE);
    }
}
