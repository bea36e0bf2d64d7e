//! `chatcluster-operator`: see the library's first lines.

use std::process::ExitCode;

/// musl's own allocator makes every thread wait for every other.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> ExitCode {
    use_small_pages();
    chatcluster::cli::main().await
}

/// What is known of a cluster are small things of many sizes. In pages of 2 MiB, each size and thread that has begun one has all
/// of it, and keeps it.
fn use_small_pages() {
    // Without it, it only takes more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
