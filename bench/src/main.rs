//! The load generator and the null server of `cargo xtask bench`. Both are programs of their own, compiled
//! with optimisations, so that their cost can be told apart from the hubs'.

// Counts become floats here, and no count comes near the 52 bits that a float holds exactly.
#![allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]

mod floor;
mod load;
mod socket;
mod websocket;

use clap::Parser;
use std::process::ExitCode;

/// The programs that `cargo xtask bench` runs beside the hubs
#[derive(Parser)]
#[command(name = "chatcluster-bench", version)]
enum Command {
    /// Put load on servers, and print one line of JSON about what came back
    Load(load::Options),
    /// The least that a hub can do: a ready frame to each member
    Floor(floor::Options),
}

fn main() -> ExitCode {
    let done = match Command::parse() {
        Command::Load(options) => load::run(&options).and_then(|outcome| {
            println!("{}", serde_json::to_string(&outcome)?);
            Ok(())
        }),
        Command::Floor(options) => floor::run(&options),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatcluster-bench: {error:#}");
            ExitCode::FAILURE
        }
    }
}
