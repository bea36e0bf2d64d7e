//! When the operator is asked to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// Becomes true on SIGTERM, which the kubelet sends, or SIGINT, which Ctrl-C sends. As the first process of a container
/// the operator would not hear either without listening.
///
/// It listens from this call on, so it is made before anything that would have to be ended.
///
/// # Errors
/// If the system does not let us listen.
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
        // Who asks again does not want to wait: the next operator takes up what is left undone.
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        info!("asked to end again: ending at once");
        std::process::exit(1);
    });
    Ok(receiver)
}

/// Waits until it is true.
pub async fn wait(mut ending: watch::Receiver<bool>) {
    // The sender is gone only with the process.
    let _ = ending.wait_for(|asked| *asked).await;
}
