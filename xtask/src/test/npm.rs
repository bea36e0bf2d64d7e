//! npm packages, as the lock files pin them.

use crate::{repo, sh};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

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

/// `npm ci`, unless what is there came from the same lock file.
pub(super) fn install(folder: &Path) -> Result<()> {
    let lock = fs::read_to_string(folder.join("package-lock.json")).context("npm's lock file")?;
    let stamp = folder.join("node_modules/.installed-from");
    if fs::read_to_string(&stamp).ok().as_ref() == Some(&lock) {
        return Ok(());
    }
    sh::quiet(sh::cmd("npm", ["ci", "--no-audit", "--no-fund"]).current_dir(folder))?;
    fs::create_dir_all(folder.join("node_modules"))?;
    Ok(fs::write(stamp, lock)?)
}
