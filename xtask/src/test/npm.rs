//! npm packages, as the lock files pin them.

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

/// `npm ci`, unless that was done since the lock file changed: the same rule as in the hub's build script, which installs
/// into one of these folders too.
pub(super) fn install(folder: &Path) -> Result<()> {
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&folder.join("package-lock.json")) {
        sh::quiet(sh::cmd("npm", ["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    }
    Ok(())
}

/// When a file was last written; a missing one, before all others.
fn changed(path: &Path) -> SystemTime {
    fs::metadata(path).and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH)
}
