//! Why a reconcile ended early.

use thiserror::Error;

use super::apply::ApplyError;
use super::observe::NoAnswer;
use super::validate::Incomplete;

/// Why a reconcile ended early. All of these pass, and it is tried again with back-off.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The object does not come from an API server.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The API server did not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// A child could not be written.
    #[error(transparent)]
    Apply(ApplyError),
    /// A bug of ours.
    #[error("the reconcile panicked: {0}")]
    Panicked(String),
    /// The status could not be written.
    #[error("writing the status failed: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// In one of few words, by which errors are counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::NoAnswer(_) => "no_answer",
            Self::Apply(_) => "write",
            Self::Status(_) => "status",
            Self::Panicked(_) => "panic",
        }
    }
}
