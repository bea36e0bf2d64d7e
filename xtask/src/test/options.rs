//! The command line of `cargo xtask test`.

use crate::target::TargetOptions;
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these stages
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STAGES")]
    pub(super) only: Vec<Stage>,
    /// Leave the clusters up, to look at
    #[arg(long)]
    pub(super) keep: bool,
    /// Only end-to-end and API tests whose name contains this
    #[arg(long, value_name = "NAME")]
    pub(super) filter: Option<String>,
    /// Push the images to this registry instead of loading them on the nodes (needed with --context)
    #[arg(long, env = "CHATCLUSTER_REGISTRY", value_name = "HOST/PATH")]
    pub(super) registry: Option<String>,
    #[command(flatten)]
    pub(super) at: TargetOptions,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(super) enum Stage {
    /// Format, clippy, licences and advisories, scripts, generated files, chart, the page's types
    Lint,
    /// Unit tests of all crates
    Unit,
    /// The hub against a real Redis
    Hub,
    /// Hubs under load, in small: nothing is lost, and Redis has no more to do than it should
    Load,
    /// The operator against a real API server, without containers
    Api,
    /// Fifty clusters, and what the operator asks of the API server for them: no more than it should
    Requests,
    /// Everything, end to end, on a real cluster
    E2e,
}

impl Stage {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Unit => "unit",
            Self::Hub => "hub",
            Self::Load => "load",
            Self::Api => "api",
            Self::Requests => "requests",
            Self::E2e => "e2e",
        }
    }
}

/// The cluster's own name, so that tests neither meet nor end the one of `cluster` and `demo`.
pub(super) fn cluster_name() -> String {
    std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "chatcluster-test".to_owned())
}
