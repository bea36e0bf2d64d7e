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
    /// Build what it takes, and start it
    Up {
        /// How many nodes (the project's own cluster; kind's are in manifests/kind.yaml)
        #[arg(default_value_t = 2)]
        nodes: u8,
    },
    /// End it, leaving nothing
    Down,
    /// What runs
    Status,
    /// kubectl as administrator
    #[command(disable_help_flag = true)]
    Kubectl(Rest),
    /// helm as administrator
    #[command(disable_help_flag = true)]
    Helm(Rest),
    /// Run a command where the API server and load balancer addresses are reached; KUBECONFIG is set
    #[command(disable_help_flag = true)]
    Exec(Rest),
    /// Give every node an image, from a docker archive
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
        // These become the command, so that its signals and exit status are its own.
        Action::Kubectl(rest) => Err(target.kubectl()?.args(&rest.args).exec().into()),
        Action::Helm(rest) => Err(target.helm()?.args(&rest.args).exec().into()),
        Action::Exec(rest) => {
            let (program, args) = rest.args.split_first().ok_or_else(|| anyhow::anyhow!("run what?"))?;
            Err(target.exec(program)?.args(args).exec().into())
        }
        Action::Load { archive } => target.load(archive),
    }
}
