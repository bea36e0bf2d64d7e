//! `chatcluster-operator`: see the library's first lines.

use std::process::ExitCode;

/// musl's own allocator makes every thread wait for every other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    chatcluster::cli::main().await
}
