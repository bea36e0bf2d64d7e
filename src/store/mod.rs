//! The operator's picture of the cluster: watches, and the caches that they fill.

pub mod cache;
pub mod clusters;
pub mod known;
pub mod packed;
pub mod raw;
pub mod scope;
pub mod watches;
