//! The chatcluster operator: it turns one `ChatCluster` object into a running real-time chat service.
//!
//! A reconcile is five steps: observe (reads) → validate (pure) → desired (pure) → apply (writes) → status (pure, then
//! one patch). Each step is a module of that name.

pub mod api;
