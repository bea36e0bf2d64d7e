//! README's second command: every check, in stages.

mod api;
mod chart;
mod e2e;
mod lint;
mod npm;
mod options;
mod rbac;
mod report;
mod rust;
mod socketio;
mod upgrade;

use crate::{bench, deps, interrupt};
use anyhow::{Result, bail};
use clap::ValueEnum;
pub(crate) use options::Options;
use options::Stage;
use report::Report;
use std::time::Instant;

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    deps::ensure(deps::For::Tests)?;
    let stages = chosen(&options.only);
    let mut report = Report::default();
    for stage in stages {
        println!("\n━━ {} ━━", stage.name());
        let start = Instant::now();
        let result = run_stage(stage, options);
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

fn run_stage(stage: Stage, options: &Options) -> Result<()> {
    match stage {
        Stage::Lint => lint::run(),
        Stage::Unit => rust::unit(),
        Stage::Hub => rust::hub(),
        Stage::Load => bench::hub::check(),
        Stage::Api => api::run(options),
        Stage::Requests => bench::operator::check(),
        Stage::E2e => e2e::run(options),
    }
}

/// The chosen stages in their own order, however they were named; all stages if none was named.
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
