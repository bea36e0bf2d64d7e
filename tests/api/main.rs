//! The operator against a real API server: scheduler, controllers and garbage collection are real, nodes are
//! not. No container runs, so hubs look ready at once and Redis does not answer, unless a test starts one
//! (`redis.rs`). Tests that need real pods are in `tests/e2e`.
//!
//! Run with `cargo xtask test --only api`, which builds the operator and this binary and starts the control
//! plane. The tests start one operator as a process and share it; each test has its own namespace. The tests
//! of `alone` have operators of their own and run after the others, by themselves.

mod alone;
mod audit;
mod chart;
mod children;
mod conflicts;
mod crd;
mod drift;
mod fuzz;
mod hub_keys;
mod idle;
mod lifecycle;
mod lists;
mod matrix;
mod mutations;
mod not_ours;
mod operator;
mod owned;
mod pending;
mod plugin;
mod redis;
mod refusals;
mod rules;
mod scaling;
mod secrets;
mod spec;
mod storage;
mod subject;
mod templates;
mod verified;

use chatcluster_test_support as support;
