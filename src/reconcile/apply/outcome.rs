//! What became of the children.

use k8s_openapi::api::core::v1::ObjectReference;

use super::error::ApplyError;
use crate::objects::compare::Difference;
use chatcluster_api::Pending;

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
    /// Whether anything was done or found out.
    pub fn is_something(&self) -> bool {
        !matches!(self, Self::Unchanged | Self::Absent)
    }

    /// Whether the watch is about to tell us of our own write: then that reconcile writes the status, for both.
    fn is_news(&self) -> bool {
        matches!(self, Self::Created | Self::Updated | Self::Recreating(_) | Self::Grown { .. })
    }

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

/// What became of all children of a cluster.
#[derive(Debug, Default)]
pub struct Work {
    /// The children that are as they should be, or on the way there.
    pub applied: Vec<Applied>,
    /// Why others are not, and wait for a person.
    pub failures: Vec<ApplyError>,
    /// Why others are not, and are tried again.
    pub passing: Vec<ApplyError>,
    /// What was held back.
    pub pending: Vec<Pending>,
}

impl Work {
    /// Sorts what became of the children.
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

    /// Whatever went wrong.
    pub fn errors(&self) -> impl Iterator<Item = &ApplyError> {
        self.failures.iter().chain(&self.passing)
    }

    /// Whether all that is left to do is to wait until the watches tell of the writes.
    pub fn is_news(&self) -> bool {
        self.failures.is_empty() && self.applied.iter().any(|done| done.outcome.is_news())
    }
}
