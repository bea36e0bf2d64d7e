//! The foundation of the tests that need a cluster: a client, a namespace per test, waits with a bound and a
//! failure message that shows what was seen, and a handle on a `ChatCluster` and its children.
//!
//! Code that only one of the two test binaries needs (the operator as a process, the audit log; people,
//! browsers, pods) is in the folder of that binary.

#![allow(clippy::missing_panics_doc)] // a panic fails a test

mod bounds;
mod chat;
mod children;
mod command;
mod environment;
mod namespace;
mod plugin;
mod scan;

pub use bounds::{A_WHILE, PODS, SOON};
pub use chat::Chat;
pub use children::{Child, Kind};
pub use command::{kubectl, kubectl_with_input, run};
pub use environment::{client, env, repo};
pub use namespace::{Namespace, operator_logs_are_in};
pub use plugin::{Answer, plugin, plugin_command};
pub use scan::objects_that_hold;
