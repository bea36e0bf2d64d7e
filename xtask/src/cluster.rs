//! `cargo xtask cluster …`

use crate::target::{SHARED_NAME, Target, TargetOptions};
use crate::{interrupt, sh};
use anyhow::Result;
use clap::Subcommand;
use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: TargetOptions,
    #[command(subcommand)]
    action: Action,
}

#[derive(Subcommand)]
enum Action {
    /// Start it, and build the programs for it first if need be
    Up {
        /// The number of nodes (of the project's own cluster; kind's are in manifests/kind.yaml)
        #[arg(default_value_t = 2)]
        nodes: u8,
    },
    /// End it, and leave nothing behind
    Down,
    /// Show its nodes
    Status,
    /// Run kubectl as administrator
    #[command(disable_help_flag = true)]
    Kubectl(Rest),
    /// Run helm as administrator
    #[command(disable_help_flag = true)]
    Helm(Rest),
    /// Run a command that can reach the API server and load balancer addresses, with KUBECONFIG set
    #[command(disable_help_flag = true)]
    Exec(Rest),
    /// Load an image from a docker archive on every node
    Load {
        /// The archive (.tar)
        archive: PathBuf,
    },
}

#[derive(clap::Args)]
struct Rest {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    args: Vec<OsString>,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    let target = Target::choose(&options.at, SHARED_NAME)?;
    match &options.action {
        Action::Up { nodes } => {
            interrupt::catch()?;
            target.up(*nodes)?;
            println!("{} is up: `cargo xtask cluster kubectl get nodes`", target.describe());
            Ok(())
        }
        Action::Down => target.down(),
        Action::Status => match &target {
            Target::Own { .. } => Err(target.script("status").exec().into()),
            _ => sh::run(target.kubectl()?.args(["get", "nodes", "-o", "wide"])),
        },
        // This process becomes the command, so that signals and exit status are the command's own.
        Action::Kubectl(rest) => Err(target.kubectl()?.args(&rest.args).exec().into()),
        Action::Helm(rest) => Err(target.helm()?.args(&rest.args).exec().into()),
        Action::Exec(rest) => {
            let (program, args) =
                rest.args.split_first().ok_or_else(|| anyhow::anyhow!("name the command to run"))?;
            Err(target.exec(program)?.args(args).exec().into())
        }
        Action::Load { archive } => target.load(archive),
    }
}
