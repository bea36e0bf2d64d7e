//! Why a workload cannot be described.

use thiserror::Error;

use super::overlay::OverlayError;
use crate::reconcile::validate::HubAuthError;

/// Why it cannot be said what a workload is to be like. Waits for the person.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WorkloadError {
    /// What the user lays over its pod template cannot be used.
    #[error(transparent)]
    PodTemplate(#[from] OverlayError),
    /// The key that clients' tokens are to be checked with cannot be used.
    #[error(transparent)]
    HubAuth(#[from] HubAuthError),
}
