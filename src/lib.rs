//! The chatcluster operator: it turns one `ChatCluster` object into a running real-time chat service.
//!
//! A reconcile is six steps: validate (pure) → observe (reads) → judge (pure) → desired (pure) → apply
//! (writes) → status (pure, then one patch). Each step is a folder of that name in [`reconcile`], which
//! strings them together; [`controller`] says when. The modules below stand in the order in which they build
//! on each other, from the ground up.

mod error_chain;
mod hex;
mod key;
pub mod objects;
pub mod shutdown;

pub mod lease;
pub mod metrics;
pub mod telemetry;

pub mod client;
mod queue;

pub mod store;

pub mod http;
pub mod reconcile;

pub mod controller;

pub mod cli;
