//! Paths of the repository, and its version.

use std::path::{Path, PathBuf};
use std::{env, fs};

/// The version of every crate, image and chart of the workspace.
pub(crate) const VERSION: &str = env!("CARGO_PKG_VERSION");

pub(crate) fn root() -> PathBuf {
    // Looked up at run time, because clones may share a target folder, and so a binary.
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

/// The folder in which that script keeps programs and images, computed as the script does.
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

/// A folder below the target folder, which is created if need be.
pub(crate) fn scratch(name: &str) -> anyhow::Result<PathBuf> {
    let dir = target_dir().join(name);
    fs::create_dir_all(&dir)?;
    Ok(dir)
}
