//! The binary: reads its flags, starts its logs, and runs the hub.

use std::process::ExitCode;

use chatcluster_hub::config::{Config, Refusal};
use chatcluster_hub::{run, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    let config = match Config::read(std::env::args()) {
        Ok(config) => config,
        Err(Refusal::Asked(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(Refusal::Wrong(line)) => {
            eprintln!("chatcluster-hub: {line}");
            return ExitCode::from(2);
        }
    };
    telemetry::start();
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatcluster-hub: {error}");
            ExitCode::FAILURE
        }
    }
}
