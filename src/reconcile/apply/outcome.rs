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
    Leaving,
}

impl Outcome {
    /// True if the child was written or deleted, or is being deleted.
    pub fn is_something(&self) -> bool {
        !matches!(self, Self::Unchanged | Self::Absent)
    }

    /// True if the watch is about to deliver the operator's own write: then the reconcile that follows writes
    /// the status for both.
    fn is_news(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Recreating(_) | Self::Grown { .. })
    }

    /// Returns the label value by which writes are counted; `None` where nothing was written.
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

/// The results of applying all children of a cluster.
#[derive(Debug, Default)]
pub struct Work {
    /// The children that match their desired state, or are on the way there.
    pub applied: Vec<Applied>,
    /// Errors that wait for a person.
    pub failures: Vec<ApplyError>,
    /// Errors that pass by themselves, so that the reconcile is tried again.
    pub passing: Vec<ApplyError>,
    /// The changes that are held back.
    pub pending: Vec<Pending>,
}

impl Work {
    /// Sorts the results of applying the children.
    pub fn of(results: Vec<Result<Applied, ApplyError>>) -> Self {
        let mut work = Self::default();
        for result in results {
            match result {
                Ok(done) => work.applied.push(done),
                Err(error) if error.passes() => work.passing.push(error),
                Err(error) => work.failures.push(error),
            }
        }
        work
    }

    /// Returns the errors of both kinds.
    pub fn errors(&self) -> impl Iterator<Item = &ApplyError> {
        self.failures.iter().chain(&self.passing)
    }

    /// True if all that is left to do is to wait until the watches deliver the writes.
    pub fn is_news(&self) -> bool {
        self.failures.is_empty() && self.applied.iter().any(|done| done.outcome.is_news())
    }
}
