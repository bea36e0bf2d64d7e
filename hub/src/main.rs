//! The binary: reads its flags, starts its logs, and runs the hub.

use std::process::ExitCode;

use chatcluster_hub::config::{Config, ConfigError};
use chatcluster_hub::{descriptors, run, telemetry};

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    descriptors::prepare();
    serve()
}

#[tokio::main]
async fn serve() -> ExitCode {
    let config = match Config::read(std::env::args()) {
        Ok(config) => config,
        Err(ConfigError::Help(text)) => {
            print!("{text}");
            return ExitCode::SUCCESS;
        }
        Err(ConfigError::Invalid(line)) => {
            eprintln!("chatcluster-hub: {line}");
            return ExitCode::from(2);
        }
    };
    telemetry::start();
    use_small_pages();
    match run(config).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("chatcluster-hub: {error}");
            ExitCode::FAILURE
        }
    }
}

/// Disables huge pages for this process. Most of the memory is small objects of many sizes. With pages of 2
/// MiB, each size that a thread uses would take at least one whole page, and zeroing these pages delays new
/// connections.
fn use_small_pages() {
    #[cfg(target_os = "linux")]
    if let Err(error) = rustix::thread::disable_transparent_huge_pages(true) {
        // The hub works as well, with more memory.
        tracing::debug!(%error, "huge pages stay");
    }
}
