//! A condition before it has a time.

use chatcluster_api::Reason;

/// A condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `status`.
    pub holds: bool,
    /// `reason`.
    pub reason: Reason,
    /// `message`.
    pub message: String,
}

pub(crate) fn yes(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: true, reason, message: message.into() }
}

pub(crate) fn no(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: false, reason, message: message.into() }
}
