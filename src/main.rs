//! The program `chatcluster-operator`; the library describes what it does.
//!
//! It uses the image's own allocator, musl's. That is slower than others, which nobody notices here, but it
//! holds on to half as much memory that was needed for a moment only. It serves one thread at a time, so
//! there are only two.

use std::process::ExitCode;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    use_small_pages();
    // A task continues on the worker that wakes it, whereas this thread would first have to be woken.
    match tokio::spawn(chatcluster::cli::main()).await {
        Ok(code) => code,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// Asks the system for small pages of memory. The records of clusters are small, of many sizes, and mixed
/// with data that lives for a moment only; a page of 2 MiB stays in memory as long as one record is in it.
fn use_small_pages() {
    // A failure only costs memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
