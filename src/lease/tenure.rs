//! The right of this process to write.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use thiserror::Error;

use super::moment::Moment;
use super::times::DEADLINE;

/// The right of this process to write. The election sets it, and the client asks for it before each write.
#[derive(Clone, Debug)]
pub struct Tenure(Arc<Mutex<State>>);

#[derive(Clone, Copy, Debug)]
enum State {
    /// Without election: no other operator runs.
    Alone,
    /// Not elected, and no other leader seen yet.
    Candidate,
    /// Another operator leads.
    StandingBy,
    /// This process leads. The moment is the one before the request that last took or renewed the Lease.
    Renewed(Moment),
    Over,
}

/// The error of a write that was refused because this process does not lead.
#[derive(Clone, Copy, Debug, Error)]
#[error("this operator does not lead (any longer): nothing is written")]
pub struct NotLeading;

impl Tenure {
    /// Returns the tenure of an operator without election, which always holds.
    pub fn alone() -> Self {
        Self(Arc::new(Mutex::new(State::Alone)))
    }

    /// Returns the tenure of an operator that has not been elected yet.
    pub fn waiting() -> Self {
        Self(Arc::new(Mutex::new(State::Candidate)))
    }

    /// True if this process may write at that moment.
    pub fn holds(&self, now: Moment) -> bool {
        !self.left(now).is_zero()
    }

    /// Returns for how much longer this process may write.
    pub fn left(&self, now: Moment) -> Duration {
        match *self.state() {
            State::Alone => Duration::MAX,
            State::Renewed(sent) => DEADLINE.saturating_sub(now.at_most_since(sent)),
            State::Candidate | State::StandingBy | State::Over => Duration::ZERO,
        }
    }

    /// Returns why the election keeps this operator from its work, if it does.
    pub fn waits_for(&self) -> Option<&'static str> {
        match *self.state() {
            State::Candidate => Some("not elected yet"),
            State::StandingBy => Some("standing by, another operator leads"),
            State::Alone | State::Renewed(_) | State::Over => None,
        }
    }

    /// Records that another operator leads.
    pub(crate) fn stand_by(&self) {
        let mut state = self.state();
        if matches!(*state, State::Candidate) {
            *state = State::StandingBy;
        }
    }

    /// Records that the request sent at that moment took or renewed the Lease.
    pub(crate) fn renew(&self, sent: Moment) {
        let mut state = self.state();
        if !matches!(*state, State::Over) {
            *state = State::Renewed(sent);
        }
    }

    /// Ends the tenure for good.
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
