//! The command line, and the module that carries out each command.

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser, Subcommand};

use crate::cluster::Access;
use crate::fault::Fault;
use crate::text::Paint;
use crate::{change, complete, logs, open, plan, rotate, status, verify};

/// See, test and steer the ChatClusters of a Kubernetes cluster
#[derive(Debug, Parser)]
#[command(name = "kubectl-chat", bin_name = "kubectl chat", version, after_help = EXIT_CODES, max_term_width = 110)]
pub(crate) struct Cli {
    #[command(subcommand)]
    command: Command,
    #[arg(long, global = true, help = "No colours; NO_COLOR in the environment does the same")]
    no_color: bool,
    #[command(flatten)]
    access: Access,
}

const EXIT_CODES: &str = "Exit codes:
  0  done, or the answer is yes
  1  the answer is no: not verified, messages do not cross, waited in vain
  2  the command line is not understood
  3  it could not be done: no access, no such ChatCluster, no operator, refused";

#[derive(Debug, Subcommand)]
enum Command {
    /// Show a ChatCluster with all its objects, or all ChatClusters in a table
    Status(status::Options),
    /// Test a ChatCluster: ask the operator, then send a message through every hub and check that every other
    /// receives it
    Verify(verify::Options),
    /// Show what the operator would change and which pods would restart, while changes are held back
    Plan(plan::Options),
    /// Make the operator leave a ChatCluster alone; the chat goes on
    Pause(change::Named),
    /// Make the operator look after it again
    Resume(change::Named),
    /// Restart the hubs or Redis
    Restart(change::Restart),
    /// Replace a password that the operator has generated
    RotatePassword(rotate::Options),
    /// Print a URL of the chat that works from here, and open it in a browser
    Open(open::Options),
    /// Show the logs of all pods of a ChatCluster together
    Logs(logs::Options),
    /// Print a script that makes a shell complete commands
    Completion(complete::Options),
    /// Answers the shell's completion requests
    #[command(name = "__complete", hide = true)]
    Complete(complete::Asked),
}

pub(crate) async fn main() -> ExitCode {
    let cli = Cli::parse();
    match cli.run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(fault) => {
            eprintln!("error: {fault}");
            fault.exit_code()
        }
    }
}

impl Cli {
    async fn run(self) -> Result<(), Fault> {
        let paint = Paint::choose(self.no_color);
        match &self.command {
            Command::Completion(options) => return complete::scripts(options, &mut Self::command()),
            Command::Complete(asked) => return complete::answer(asked, &Self::command()).await,
            _ => {}
        }
        let cluster = &self.access.open().await?;
        match &self.command {
            Command::Status(options) => status::run(options, cluster, paint).await,
            Command::Verify(options) => verify::run(options, cluster, paint).await,
            Command::Plan(options) => plan::run(options, cluster, paint).await,
            Command::Pause(named) => change::pause(named, cluster).await,
            Command::Resume(named) => change::resume(named, cluster).await,
            Command::Restart(options) => change::restart(options, cluster).await,
            Command::RotatePassword(options) => rotate::run(options, cluster).await,
            Command::Open(options) => open::run(options, cluster).await,
            Command::Logs(options) => logs::run(options, cluster, paint).await,
            Command::Completion(_) | Command::Complete(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_sound() {
        Cli::command().debug_assert();
    }

    #[test]
    fn the_krew_manifest_is_of_this_program_and_version() {
        let manifest: serde_json::Value = serde_saphyr::from_str(include_str!("../krew/chat.yaml")).unwrap();
        let (command, version) = (Cli::command(), env!("CARGO_PKG_VERSION"));

        assert_eq!(
            [&manifest["apiVersion"], &manifest["kind"]],
            ["krew.googlecontainertools.github.com/v1alpha2", "Plugin"]
        );
        assert_eq!(format!("kubectl-{}", manifest["metadata"]["name"].as_str().unwrap()), command.get_name());
        assert_eq!(manifest["spec"]["version"], format!("v{version}"));
        assert_eq!(manifest["spec"]["shortDescription"], command.get_about().unwrap().to_string());
        let platforms = manifest["spec"]["platforms"].as_array().unwrap();
        assert_eq!(platforms.len(), 2);
        for platform in platforms {
            assert_eq!(platform["bin"], command.get_name());
            let uri = platform["uri"].as_str().unwrap();
            assert!(uri.contains(&format!("/v{version}/kubectl-chat-linux-")), "{uri}");
        }
    }
}
