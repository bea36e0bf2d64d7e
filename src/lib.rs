//! The chatcluster operator: it turns one `ChatCluster` object into a running real-time chat service.
//!
//! A reconcile is five steps: observe (reads) → validate (pure) → desired (pure) → apply (writes) → status (pure, then
//! one patch). Each step is a module of that name; [`reconcile`] strings them together,
//! and [`controller`] says when.

pub mod access;
pub mod apply;
pub mod backplane;
pub mod cache;
mod causes;
pub mod check;
pub mod cli;
pub mod clusters;
pub mod compare;
pub mod controller;
pub mod desired;
pub mod ending;
pub mod events;
pub mod http;
pub mod hub_keys;
pub mod known;
mod lean;
pub mod lease;
pub mod lists;
pub mod malformed;
pub mod metrics;
pub mod observe;
pub mod overlay;
mod pace;
pub mod packed;
pub mod password;
mod path;
mod publisher;
mod queue;
pub mod raw;
pub mod reconcile;
pub mod requests;
pub mod scope;
pub mod status;
pub mod storage;
pub mod telemetry;
pub mod user_secrets;
pub mod validate;
pub mod watches;
