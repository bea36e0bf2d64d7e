//! The kubectl plugin, compiled for this machine.

use crate::cargo;
use anyhow::Result;
use std::path::PathBuf;

const NAME: &str = "kubectl-chat";

/// Compiles the plugin as part of the whole workspace, as tests are compiled, so that shared crates are
/// compiled once.
pub(crate) fn build() -> Result<PathBuf> {
    let mut command = cargo::workspace("build");
    command.args([cargo::REPORT, "--bin", NAME]);
    cargo::binary(&cargo::build(&mut command)?, NAME)
}
