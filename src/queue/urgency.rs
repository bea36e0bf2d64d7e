//! The order in which waiting clusters are reconciled.

/// The urgency of a reconcile, the most urgent first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Urgency {
    /// The spec has changed, or someone may have changed or deleted a child.
    Now,
    /// Nothing has been reported about the cluster yet: its children may have to be created.
    New,
    /// An object that the operator created has become ready: the next ones may have to be created.
    Soon,
    /// A write of the operator has arrived, or time has passed: there may be something to report.
    Later,
}
