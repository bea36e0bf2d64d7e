//! npm packages, as lock files pin them.

use crate::{repo, sh};
use anyhow::Result;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// The folders of the repository that have an npm lock file.
pub(super) fn folders() -> Result<Vec<PathBuf>> {
    let list = [
        "ls-files",
        "--cached",
        "--others",
        "--exclude-standard",
        "--",
        "package-lock.json",
        "**/package-lock.json",
    ];
    let found = sh::output(sh::cmd("git", list).current_dir(repo::root()))?;
    Ok(found.lines().filter_map(|l| repo::root().join(l).parent().map(Path::to_path_buf)).collect())
}

/// Runs `npm ci`, unless that was done since the lock file changed. The hub's build script has the same rule
/// for one of these folders.
pub(super) fn install(folder: &Path) -> Result<()> {
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&folder.join("package-lock.json")) {
        sh::quiet(sh::cmd("npm", ["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    }
    Ok(())
}

/// The time at which a file was last written; for a missing file, the start of time.
fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
