//! Whole clusters end to end: real pods, a real load balancer, npm's own SignalR client, a real browser.
//!
//! Run with `cargo xtask test --only e2e`, which builds everything, starts a cluster, installs the chart and
//! runs this binary where the load balancer's addresses can be reached. Each test has its own namespace,
//! which admits only pods of the `restricted` standard.

mod any_hub;
mod bad_input;
mod browser;
mod failures;
mod isolation;
mod lifecycle;
mod messages;
mod people;
mod plugin;
mod pods;
mod program;
mod repair;
mod rights;
mod samples;
mod secrecy;

use chatcluster_test_support as support;
