//! What `cargo xtask bench operator` does to an operator on a control plane without containers: it makes `ChatClusters`,
//! spoils their children, restarts the operator, and reads in the audit log what that took. It also is the least that a
//! client can do in the operator's place, the floor, and the Redis of pods that do not exist.
//!
//! It prints a line of JSON for each thing that it measured. What is made of these is in `xtask/src/bench/operator`.

// Counts become figures here, and no count comes near the 52 bits that a float keeps.
#![allow(clippy::cast_precision_loss)]

mod api;
mod audit;
mod churn;
mod create;
mod delete;
mod drift;
mod figures;
mod floor;
mod like;
mod names;
mod objects;
mod operator;
mod pods;
mod redis;
mod rest;
mod restart;
mod run;

use clap::Parser;
use std::process::ExitCode;

/// Every request of ours is in memory for a moment, as they are in the operator's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

// One thread: what it costs is not to be had by the API server, which shares the machine.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    match run::run(&run::Options::parse()).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatcluster-bench-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}
