//! The driver of `cargo xtask bench operator`, on a control plane without containers: it creates
//! `ChatClusters`, spoils their children, restarts the operator, and reads the costs in the audit log. It
//! also contains the floor, which is the least that a client can do in the operator's place, and a stand-in
//! for the Redis of pods that do not exist.
//!
//! It prints a line of JSON for each phase. Tables and plots are made of these in `xtask/src/bench/operator`.

// Counts become floats here, and no count comes near the 52 bits that a float holds exactly.
#![allow(clippy::cast_precision_loss)]

mod api;
mod audit;
mod bench;
mod churn;
mod create;
mod crossing;
mod delete;
mod drift;
mod figures;
mod floor;

mod names;
mod objects;
mod operator;
mod options;
mod pods;
mod redis;
mod reference;
mod rest;
mod restart;
mod run;
mod wait;

use anyhow::{Context, Result};
use clap::Parser;
use options::Options;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The allocator of the operator's image, as every request of ours is in memory for a moment, too.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The parts of `cargo xtask bench operator` that run in a process of their own
#[derive(Parser)]
#[command(name = "chatcluster-bench-operator", version)]
enum Command {
    /// Take an operator through all phases, and print a line of JSON for each
    Run(Box<Options>),
    /// Wait until a message crosses two hubs through a load balancer's address
    Crossing(crossing::Options),
    /// Print the objects of a file, a List in JSON, as a person would have written them
    ByHand {
        /// The file
        file: PathBuf,
    },
}

// One thread: the API server shares the machine and needs the rest.
#[tokio::main(flavor = "current_thread")]
async fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Run(options) => run::run(&options).await,
        Command::Crossing(options) => crossing::run(&options).await,
        Command::ByHand { file } => print_by_hand(&file),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatcluster-bench-operator: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn print_by_hand(file: &Path) -> Result<()> {
    let text = std::fs::read(file).with_context(|| format!("cannot read {}", file.display()))?;
    println!("{}", objects::by_hand(serde_json::from_slice(&text)?));
    Ok(())
}
