//! The signals that ask the operator to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// Returns a value that becomes true on SIGTERM (sent by the kubelet) or SIGINT (sent by Ctrl-C). The first
/// process of a container gets neither signal unless it listens for it.
///
/// It listens from this call on, so call it before starting anything that has to be ended.
///
/// # Errors
/// If the system does not let the process listen for signals.
pub fn asked() -> std::io::Result<watch::Receiver<bool>> {
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("asked to end: finishing the reconciles under way");
        asked.send_replace(true);
        // A second signal means that nobody wants to wait. The next operator takes up the unfinished work.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("asked to end again: ending at once");
        std::process::exit(1);
    });
    Ok(receiver)
}

/// Waits until the process has been asked to end.
pub async fn wait(mut ending: watch::Receiver<bool>) {
    // The sender lives as long as the process.
    let _ = ending.wait_for(|asked| *asked).await;
}
