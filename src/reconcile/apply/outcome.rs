//! The results of applying the children.

use k8s_openapi::api::core::v1::ObjectReference;

use super::error::ApplyError;
use crate::objects::compare::Difference;
use chatcluster_api::Pending;

/// The result of applying one child.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The child.
    pub child: ObjectReference,
    /// The action that was taken.
    pub outcome: Outcome,
}

/// The action that was taken on a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// None: the child matches its desired state. No request was made.
    Unchanged,
    /// None: the child should not exist, and does not. No request was made.
    Absent,
    /// The child, which was missing, was created.
    Created,
    /// The child was written, because the spec or the operator's version has changed.
    Updated,
    /// A field of ours that someone had changed was restored.
    Repaired(Difference),
    /// The child is being deleted without its pods, to be recreated around them: Kubernetes does not allow
    /// that field to change.
    Recreating(Difference),
    /// The claim now requests a bigger volume.
    Grown {
        /// The size that the claim requested before.
        from: String,
        /// The size that the claim requests now.
        to: String,
    },
    /// The child, which should no longer exist, was deleted.
    Removed,
    /// None: the child is being deleted, and is recreated when it is gone.
    Terminating,
}

impl Outcome {
    /// True if the child was written or deleted, or is being deleted.
    pub fn is_notable(&self) -> bool {
        !matches!(self, Self::Unchanged | Self::Absent)
    }

    /// True if the watch is about to deliver the operator's own write: then the reconcile that follows writes
    /// the status for both.
    fn triggers_reconcile(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Recreating(_) | Self::Grown { .. })
    }

    /// Returns the label value by which writes are counted; `None` where nothing was written.
    pub fn label(&self) -> Option<&'static str> {
        match self {
            Self::Created => Some("created"),
            Self::Updated => Some("updated"),
            Self::Repaired(_) => Some("repaired"),
            Self::Removed => Some("removed"),
            Self::Recreating(_) => Some("recreated"),
            Self::Grown { .. } => Some("grown"),
            Self::Unchanged | Self::Absent | Self::Terminating => None,
        }
    }
}

/// The results of applying all children of a cluster.
#[derive(Debug, Default)]
pub struct ApplyResults {
    /// The children that match their desired state, or are on the way there.
    pub applied: Vec<Applied>,
    /// Errors that wait for a person.
    pub failures: Vec<ApplyError>,
    /// Errors that pass by themselves, so that the reconcile is tried again.
    pub transient: Vec<ApplyError>,
    /// The changes that are held back.
    pub pending: Vec<Pending>,
}

impl ApplyResults {
    /// Sorts the results of applying the children.
    pub fn of(children: Vec<Result<Applied, ApplyError>>) -> Self {
        let mut results = Self::default();
        for result in children {
            match result {
                Ok(done) => results.applied.push(done),
                Err(error) if error.is_transient() => results.transient.push(error),
                Err(error) => results.failures.push(error),
            }
        }
        results
    }

    /// Returns the errors of both kinds.
    pub fn errors(&self) -> impl Iterator<Item = &ApplyError> {
        self.failures.iter().chain(&self.transient)
    }

    /// True if all that is left to do is to wait until the watches deliver the writes.
    pub fn awaits_watches(&self) -> bool {
        self.failures.is_empty() && self.applied.iter().any(|done| done.outcome.triggers_reconcile())
    }
}
