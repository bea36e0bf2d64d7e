//! Where things are.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The version that every crate, image and chart of the workspace has.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn root() -> PathBuf {
    // At run time, because clones may share a target folder, and then one binary.
    let manifest =
        env::var_os("CARGO_MANIFEST_DIR").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from);
    manifest.parent().map_or(manifest.clone(), Path::to_path_buf)
}

pub(crate) fn target_dir() -> PathBuf {
    env::var_os("CARGO_TARGET_DIR").map_or_else(|| root().join("target"), |d| root().join(d))
}

/// The script that runs the project's own cluster.
pub(crate) fn cluster_script() -> PathBuf {
    root().join("cluster/cluster")
}

/// Where that script leaves programs and images, as it computes it.
pub(crate) fn cluster_cache() -> PathBuf {
    let home = || PathBuf::from(env::var_os("HOME").unwrap_or_else(|| "/root".into()));
    env::var_os("CLUSTER_CACHE").map_or_else(
        || {
            env::var_os("XDG_CACHE_HOME")
                .map_or_else(|| home().join(".cache"), PathBuf::from)
                .join("chatcluster-cluster")
        },
        PathBuf::from,
    )
}

/// A folder under the target folder, made if need be.
pub(crate) fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let dir = target_dir().join(name);
    fs::create_dir_all(&dir)?;
    Ok(dir)
}
