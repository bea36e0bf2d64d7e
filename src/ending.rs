//! When the operator is asked to end.

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tracing::info;

/// Becomes true on SIGTERM, which the kubelet sends, or SIGINT, which Ctrl-C sends. As the first process of a container
/// the operator would not hear either without listening.
pub fn asked() -> watch::Receiver<bool> {
    let (asked, receiver) = watch::channel(false);
    tokio::spawn(async move {
        let terminated = async {
            match signal(SignalKind::terminate()) {
                Ok(mut terminate) => terminate.recv().await,
                Err(_) => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = terminated => {}
            _ = tokio::signal::ctrl_c() => {}
        }
        info!("asked to end: finishing the reconciles under way");
        asked.send_replace(true);
        std::future::pending::<()>().await;
    });
    receiver
}
