//! `chatcluster-operator`: see the library's first lines.
//!
//! No allocator is set: that of the image, musl's, is slower than others, which nobody notices here, and keeps half as much of
//! what was needed for a moment. It serves one thread at a time, so there are not many.

use std::process::ExitCode;

#[tokio::main(worker_threads = 2)]
async fn main() -> ExitCode {
    use_small_pages();
    // As a task, so that it goes on where it was woken: this thread would have to be woken for it.
    match tokio::spawn(chatcluster::cli::main()).await {
        Ok(code) => code,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    }
}

/// What is known of a cluster are small things of many sizes, among what is needed for a moment only. A page of 2 MiB that holds one
/// of them stays.
fn use_small_pages() {
    // Without it, it only takes more memory.
    #[cfg(target_os = "linux")]
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
