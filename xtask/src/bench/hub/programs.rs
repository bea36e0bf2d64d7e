//! The programs of a run: the hub and the load generator.

use super::options::Hub;
use crate::{cargo, sh};
use anyhow::Result;
use std::path::PathBuf;

/// The command that starts a hub, from the root of the repository; docs/performance.md shows it, too.
pub(crate) const HUB_COMMAND: &str = "HUB_LISTEN=127.0.0.1:{port} POD_NAME=hub-{node} target/release/chatcluster-hub \
     --redis 127.0.0.1:{redis_port} --redis-password-file {redis_password_file}";
/// The program in [`HUB_COMMAND`].
pub(crate) const HUB_PROGRAM: &str = "target/release/chatcluster-hub";

/// The programs of a run.
pub(super) struct Programs {
    pub(super) hub_command: String,
    pub(super) bench: PathBuf,
}

/// Compiles the programs, with optimisations unless only counts matter.
pub(super) fn build(options: &Hub) -> Result<Programs> {
    let mut command = if options.check {
        cargo::workspace("build") // as the other stages of the tests do
    } else {
        sh::cargo([
            "build",
            "--locked",
            "--release",
            "--package",
            "chatcluster-hub",
            "--package",
            "chatcluster-bench",
        ])
    };
    command.args(["--bin", "chatcluster-bench", cargo::REPORT]);
    if options.command.is_none() {
        command.args(["--bin", HUB]);
    }
    let built = cargo::build(&mut command)?;
    let hub_command = if let Some(command) = &options.command {
        command.clone()
    } else {
        let path = cargo::binary(&built, HUB)?;
        HUB_COMMAND.replace(HUB_PROGRAM, &path.to_string_lossy())
    };
    Ok(Programs { hub_command, bench: cargo::binary(&built, "chatcluster-bench")? })
}

const HUB: &str = "chatcluster-hub";
