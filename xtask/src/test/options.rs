//! The command line of `cargo xtask test`.

use crate::target::TargetOptions;
use clap::ValueEnum;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these stages
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STAGES")]
    pub(super) only: Vec<Stage>,
    /// Leave the clusters running, to look at them
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
    /// Hubs under a small load: nothing is lost, and Redis does no more than it should
    Load,
    /// The operator against a real API server, without containers
    Api,
    /// Fifty clusters: the operator sends no more requests than it should
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

/// The name of the test cluster, which differs from that of `cluster` and `demo`, so that tests leave theirs
/// alone.
pub(super) fn cluster_name() -> String {
    std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "chatcluster-test".to_owned())
}
