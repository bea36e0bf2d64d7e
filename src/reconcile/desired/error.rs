//! The reasons for which a workload cannot be built.

use thiserror::Error;

use super::overlay::OverlayError;
use crate::reconcile::validate::HubAuthError;

/// The reason for which the desired state of a workload cannot be built. Waits for a person.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum WorkloadError {
    /// The user's `podTemplate` cannot be used.
    #[error(transparent)]
    PodTemplate(#[from] OverlayError),
    /// The key that checks clients' tokens cannot be used.
    #[error(transparent)]
    HubAuth(#[from] HubAuthError),
}
