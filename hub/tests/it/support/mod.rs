//! The programs that the tests run (Redis, hubs, clients), and their waits.

mod balancer;
mod client;
pub(crate) mod cluster;
mod drivers;
mod hub;
mod raw;
mod redis;
pub(crate) mod socket;
mod stage;
pub(crate) mod token;

use std::future::Future;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

pub(crate) use balancer::Balancer;
pub(crate) use client::{Client, Way};
pub(crate) use cluster::Cluster;
pub(crate) use drivers::Kind;
pub(crate) use hub::{HubProcess, command as hub_command};
pub(crate) use raw::RawClient;
pub(crate) use redis::Redis;
pub(crate) use stage::Stage;

/// The bound for everything: far more than it takes, because the machine may be busy.
pub(crate) const PATIENCE: Duration = Duration::from_mins(1);

/// Waits for a future, and fails the test if it takes too long. `what` describes what is awaited.
pub(crate) async fn within<T>(what: &str, future: impl Future<Output = T>) -> T {
    let Ok(value) = tokio::time::timeout(PATIENCE, future).await else {
        panic!("waited {} s in vain: {what}", PATIENCE.as_secs())
    };
    value
}

/// Waits until `check` returns a value, for states that have to be polled.
pub(crate) async fn until<T>(what: &str, mut check: impl AsyncFnMut() -> Option<T>) -> T {
    within(what, async {
        loop {
            if let Some(value) = check().await {
                return value;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    })
    .await
}

/// A new folder, which is removed when dropped.
#[derive(Debug)]
pub(crate) struct Folder(PathBuf);

impl Folder {
    pub(crate) fn new() -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("chatcluster-hub-{}-{count}", std::process::id()));
        std::fs::create_dir(&path).expect("a new folder for temporary files");
        Self(path)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// Writes a file atomically, as files of a mounted Secret change.
    pub(crate) fn write(&self, name: &str, content: &str) -> PathBuf {
        let path = self.0.join(name);
        let new = self.0.join(format!("{name}.new"));
        std::fs::write(&new, content).expect("a temporary file can be written");
        std::fs::rename(&new, &path).expect("a temporary file can be renamed");
        path
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

/// Sends a signal to a process that this test started.
pub(crate) async fn signal(pid: u32, name: &str) {
    let sent =
        tokio::process::Command::new("kill").arg(format!("-{name}")).arg(pid.to_string()).status().await;
    assert!(sent.is_ok_and(|status| status.success()), "kill -{name} {pid}");
}
