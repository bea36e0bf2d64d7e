//! The operator's picture of the cluster: watches, and the caches that they fill.

pub mod cache;
pub mod cluster_record;
pub mod clusters;
pub mod compressed;
pub mod scope;
pub mod undecoded;
pub mod watches;
