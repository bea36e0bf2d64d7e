//! README's second command: every check, in stages.

mod api;
mod chart;
mod e2e;
mod lint;
mod npm;
mod rbac;
mod report;
mod rust;
mod socketio;
mod upgrade;

use crate::args::Where;
use crate::{bench, deps, interrupt};
use anyhow::{Result, bail};
use clap::ValueEnum;
use report::Report;
use std::time::Instant;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these stages
    #[arg(long, value_enum, value_delimiter = ',', value_name = "STAGES")]
    only: Vec<Stage>,
    /// Leave the clusters up, to look at
    #[arg(long)]
    keep: bool,
    /// Only end-to-end and API tests whose name contains this
    #[arg(long, value_name = "NAME")]
    filter: Option<String>,
    /// Push the images to this registry instead of loading them on the nodes (needed with --context)
    #[arg(long, env = "CHATCLUSTER_REGISTRY", value_name = "HOST/PATH")]
    registry: Option<String>,
    #[command(flatten)]
    at: Where,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Stage {
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
    fn name(self) -> &'static str {
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

    fn run(self, options: &Options) -> Result<()> {
        match self {
            Self::Lint => lint::run(),
            Self::Unit => rust::unit(),
            Self::Hub => rust::hub(),
            Self::Load => bench::hub::check(),
            Self::Api => api::run(options),
            Self::Requests => bench::operator::check(),
            Self::E2e => e2e::run(options),
        }
    }
}

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    deps::ensure(deps::For::Tests)?;
    let stages = chosen(&options.only);
    let mut report = Report::default();
    for stage in stages {
        println!("\n━━ {} ━━", stage.name());
        let start = Instant::now();
        let result = stage.run(options);
        if let Err(e) = &result {
            eprintln!("\n{} failed: {e:#}", stage.name());
        }
        report.add(stage.name(), result, start.elapsed());
        if interrupt::asked() {
            break;
        }
    }
    println!("\n{report}");
    interrupt::check()?;
    if report.all_passed() { Ok(()) } else { bail!("not all stages passed") }
}

/// In their own order, however they were named; all when none is.
fn chosen(only: &[Stage]) -> Vec<Stage> {
    Stage::value_variants().iter().copied().filter(|s| only.is_empty() || only.contains(s)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stages_keep_their_order() {
        assert_eq!(chosen(&[Stage::Api, Stage::Lint]), [Stage::Lint, Stage::Api]);
        assert_eq!(chosen(&[]).len(), 7);
    }
}
