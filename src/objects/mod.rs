//! Pure functions on Kubernetes objects as JSON.

pub mod compare;
pub mod lists;
