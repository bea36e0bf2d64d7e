//! A condition without its transition time.

use chatcluster_api::Reason;

/// A condition without its transition time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// The condition's `status`.
    pub holds: bool,
    /// The condition's `reason`.
    pub reason: Reason,
    /// The condition's `message`.
    pub message: String,
}

pub(crate) fn yes(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: true, reason, message: message.into() }
}

pub(crate) fn no(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: false, reason, message: message.into() }
}
