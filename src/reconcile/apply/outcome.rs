//! What became of the children.

use k8s_openapi::api::core::v1::ObjectReference;

use crate::objects::compare::Difference;

/// What became of one child.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The child.
    pub child: ObjectReference,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it is as it should be. No request was made.
    Unchanged,
    /// There should be none, and there is none. No request was made.
    Absent,
    /// It was missing.
    Created,
    /// The spec, or this version of the operator, wants something else than before.
    Updated,
    /// Someone had changed a field of ours.
    Repaired(Difference),
    /// It is being deleted without its pods, to be made anew around them: Kubernetes does not let that field change.
    Recreating(Difference),
    /// The claim now asks for more.
    Grown {
        /// What it asked for.
        from: String,
        /// What it asks for.
        to: String,
    },
    /// It should no longer be there.
    Removed,
    /// It is being deleted; it is made anew when it is gone.
    Leaving,
}

impl Outcome {
    /// In one word, by which writes are counted; `None` where nothing was written.
    pub fn word(&self) -> Option<&'static str> {
        match self {
            Self::Created => Some("created"),
            Self::Updated => Some("updated"),
            Self::Repaired(_) => Some("repaired"),
            Self::Removed => Some("removed"),
            Self::Recreating(_) => Some("recreated"),
            Self::Grown { .. } => Some("grown"),
            Self::Unchanged | Self::Absent | Self::Leaving => None,
        }
    }
}
