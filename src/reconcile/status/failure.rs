//! What could not be done, in the words of the status.

use chatcluster_api::Reason;

/// Why a child is not as it should be. It waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of `Ready` while this lasts.
    pub reason: Reason,
    /// The message: which object, why, and what a person can do.
    pub message: String,
}
