//! The plan of the house and its language, held by tests: `CONTRIBUTING.md` states these rules for people.

mod crates;
mod english;
mod imports;
mod source;
mod style;

use std::path::PathBuf;

/// The root of the repository.
fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask/ is in the repository").to_owned()
}

/// Fails with one line for each fault.
#[track_caller]
fn assert_none(faults: &[String], rule: &str) {
    assert!(faults.is_empty(), "{rule}\n  {}\n{} faults", faults.join("\n  "), faults.len());
}
