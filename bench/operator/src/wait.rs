//! Waiting for a condition.

use anyhow::{Result, bail};
use std::time::{Duration, Instant};

/// Repeats the attempt, with a pause in between, until it gives a value.
pub(crate) async fn until<T>(
    what: &str,
    patience: Duration,
    pause: Duration,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
        if start.elapsed() > patience {
            bail!("not within {} s: {what}", patience.as_secs());
        }
        tokio::time::sleep(pause).await;
    }
}
