//! Ctrl-C and SIGTERM set a flag instead of ending the process: whoever started a cluster gets to take it down.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, LazyLock};

static ASKED: LazyLock<Arc<AtomicBool>> = LazyLock::new(Arc::default);

/// From now on a signal makes the running tool end and `check` fail.
pub(crate) fn catch() -> anyhow::Result<()> {
    for signal in [signal_hook::consts::SIGINT, signal_hook::consts::SIGTERM, signal_hook::consts::SIGHUP] {
        signal_hook::flag::register(signal, Arc::clone(&ASKED))?;
    }
    Ok(())
}

pub(crate) fn asked() -> bool {
    ASKED.load(Ordering::Relaxed)
}

pub(crate) fn check() -> anyhow::Result<()> {
    anyhow::ensure!(!asked(), "interrupted");
    Ok(())
}
