//! `kubectl chat`: the commands of a person who uses `ChatCluster`s. It needs that person's rights and
//! nothing of the operator.
//!
//!
//! A command reads objects (`read`), turns them into a plain value (`…::view`), which `-o json` prints as it
//! is, and draws that value as text.

mod change;
mod cli;
mod cluster;
mod complete;
mod fault;
mod forward;
mod logs;
mod model;
mod open;
mod operator;
mod output;
mod pending;
mod plan;
mod read;
mod rollout;
mod rotate;
mod status;
mod text;
mod verify;

use std::process::ExitCode;

#[tokio::main]
async fn main() -> ExitCode {
    cli::main().await
}
