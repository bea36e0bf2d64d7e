//! The reasons for which a child could not be written.

use chatcluster_api::Reason;
use kube::{Resource, ResourceExt};
use thiserror::Error;

use crate::reconcile::desired::WorkloadError;
use crate::reconcile::desired::overlay::OverlayError;
use crate::reconcile::validate::HubAuthError;
use crate::reconcile::validate::{Cluster, controller};

/// The reason for which a child could not be written.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// An object of that name belongs to someone else. Waits for a person.
    #[error(
        "{kind} {name} exists and {owner}: it is left alone; delete or rename it, or give the ChatCluster another name"
    )]
    NameTaken {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// A clause that names the object's owner, such as "belongs to Deployment web".
        owner: String,
    },
    /// The API server refuses the object as it is. Waits for the spec, a quota or a permission to change.
    #[error("the API server refuses {kind} {name}: {message}")]
    Refused {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// The message of the API server.
        message: String,
    },
    /// The object is ours, but the watch did not show it: someone removed our label. The desired state was
    /// built without it, so the reconcile starts over, and now knows it.
    #[error("{kind} {name} is there, without the label by which it is watched")]
    LabelRemoved {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// A Secret of ours was changed or deleted after its content was read, to be kept, and before it was
    /// written: the old content must not come back. The reconcile starts over, and now knows the new state.
    #[error("the Secret {0} was changed or deleted meanwhile")]
    SecretChanged(String),
    /// A child has lost its owner, and the `ChatCluster` is being deleted or gone, which the watch has not
    /// delivered yet. The child is left behind, as the user requested.
    #[error("the ChatCluster is being deleted, and its children are left behind")]
    Orphaned,
    /// The user's `podTemplate` cannot be used. Waits for the spec to change.
    #[error(transparent)]
    PodTemplate(#[from] OverlayError),
    /// The key that checks clients' tokens cannot be used. Waits for the user's Secret, or for the spec.
    #[error(transparent)]
    HubAuth(#[from] HubAuthError),
    /// The volume cannot grow. Waits for the spec or the storage class to change.
    #[error(
        "the claim {claim} cannot grow from {from} to {to}: its storage class {class} does not allow it; have the class allow it (allowVolumeExpansion: true), if its driver can, or set redis.storage.size back to {from} in a new ChatCluster"
    )]
    VolumeNotExpandable {
        /// The claim's name.
        claim: String,
        /// The size that the claim requests.
        from: String,
        /// The size in the spec.
        to: String,
        /// The name of the storage class.
        class: String,
    },
    /// The request failed, and is tried again.
    #[error("writing {kind} {name} failed: {source}")]
    Transient {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// The error of the request.
        #[source]
        source: Box<kube::Error>,
    },
}

impl ApplyError {
    /// True if the error passes by itself, so that the reconcile is tried again; otherwise it waits for a
    /// person.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::LabelRemoved { .. } | Self::SecretChanged(_) | Self::Orphaned | Self::Transient { .. } => {
                true
            }
            Self::NameTaken { .. }
            | Self::Refused { .. }
            | Self::PodTemplate(_)
            | Self::HubAuth(_)
            | Self::VolumeNotExpandable { .. } => false,
        }
    }

    /// Returns the label values by which the attempted write is counted: the child's kind and the outcome;
    /// `None` where no write was attempted.
    pub fn write_labels(&self) -> Option<(&str, &'static str)> {
        match self {
            Self::NameTaken { kind, .. } => Some((kind, "name_taken")),
            Self::Refused { kind, .. } => Some((kind, "refused")),
            Self::Transient { kind, .. } => Some((kind, "failed")),
            Self::LabelRemoved { .. }
            | Self::SecretChanged(_)
            | Self::Orphaned
            | Self::PodTemplate(_)
            | Self::HubAuth(_)
            | Self::VolumeNotExpandable { .. } => None,
        }
    }

    /// Returns the reason of the condition `Ready` while the error lasts.
    pub fn reason(&self) -> Reason {
        match self {
            Self::NameTaken { .. } => Reason::NameTaken,
            Self::PodTemplate(_) => Reason::PodTemplateInvalid,
            Self::HubAuth(error) => error.into(),
            Self::VolumeNotExpandable { .. } => Reason::VolumeNotExpandable,
            Self::Refused { .. }
            | Self::LabelRemoved { .. }
            | Self::SecretChanged(_)
            | Self::Orphaned
            | Self::Transient { .. } => Reason::ApplyFailed,
        }
    }
}

impl From<WorkloadError> for ApplyError {
    fn from(error: WorkloadError) -> Self {
        match error {
            WorkloadError::PodTemplate(error) => error.into(),
            WorkloadError::HubAuth(error) => error.into(),
        }
    }
}

pub(super) fn name_taken<K: Resource<DynamicType = ()>>(cluster: &Cluster, object: &K) -> ApplyError {
    let owner = match controller(object) {
        Some(owner) if owner.kind == "ChatCluster" && owner.name == cluster.name => {
            "belongs to a former ChatCluster of this name that is still being deleted".to_owned()
        }
        Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
        None => "does not belong to this ChatCluster".to_owned(),
    };
    ApplyError::NameTaken { kind: K::kind(&()).into_owned(), name: object.name_any(), owner }
}

pub(super) fn write_error<K: Resource<DynamicType = ()>>(name: &str, error: kube::Error) -> ApplyError {
    let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
            ApplyError::Refused { kind, name, message: status.message.clone() }
        }
        source => ApplyError::Transient { kind, name, source: Box::new(source) },
    }
}
