//! A failure to write a child, as the status reports it.

use chatcluster_api::Reason;

/// The reason for which a child is not as desired. Waits for a person.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// The reason of the condition `Ready` while this lasts.
    pub reason: Reason,
    /// The message: the object, the cause, and the remedy.
    pub message: String,
}
