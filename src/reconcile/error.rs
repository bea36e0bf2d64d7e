//! The reasons for which a reconcile ends early.

use thiserror::Error;

use super::apply::ApplyError;
use super::observe::SecretTimeout;
use super::validate::Incomplete;

/// The reason for which a reconcile ended early. Each of them passes, so the reconcile is tried again with
/// back-off.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The object lacks metadata that every object from an API server has.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The API server did not say in time whether a user's Secret exists.
    #[error(transparent)]
    SecretTimeout(#[from] SecretTimeout),
    /// A child could not be written.
    #[error(transparent)]
    Apply(ApplyError),
    /// The reconcile panicked, which is a bug of the operator.
    #[error("the reconcile panicked: {0}")]
    Panicked(String),
    /// The status could not be written.
    #[error("writing the status failed: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// Returns the label value by which failed reconciles are counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::SecretTimeout(_) => "no_answer",
            Self::Apply(_) => "write",
            Self::Status(_) => "status",
            Self::Panicked(_) => "panic",
        }
    }
}
