//! `kubectl chat`: what a person does with `ChatCluster`s, from the outside. It needs the rights of that person and nothing
//! of the operator's.
//!
//! A command reads (`read`), makes of it a plain value (`…::view`) that `-o json` shows as it is, and draws that.

mod change;
mod cli;
mod cluster;
mod complete;
mod fault;
mod forward;
mod logs;
mod model;
mod open;
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
