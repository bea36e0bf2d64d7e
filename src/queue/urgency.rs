//! How soon a cluster is to be reconciled.

/// How soon a cluster is to be reconciled, the soonest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// Its spec has changed, or someone may have changed or deleted a child.
    Now,
    /// Nothing has been said about it yet: it may have to be made.
    New,
    /// What the operator made has come about: it may have to make more.
    Soon,
    /// What it wrote is there, or time has passed: there may be something to tell.
    Later,
}
