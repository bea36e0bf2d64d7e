//! Stage "api": the operator, outside of any cluster, against a real API server with fake nodes. No container
//! ever runs.

use super::options::{Options, cluster_name};
use super::rust;
use crate::target::Target;
use crate::{cargo, interrupt, plugin, repo, sh};
use anyhow::Result;
use std::path::PathBuf;

/// The number of fake nodes
const NODES: &str = "3";
/// The number of concurrent tests, which mostly wait.
const THREADS: &str = "6";
/// The number of concurrent tests among those with operators of their own, which may be many.
const THREADS_ALONE: &str = "4";

pub(super) fn run(options: &Options) -> Result<()> {
    let programs = rust::build_test("api")?;
    let runner = cargo::test_runner(&programs, "api")?;
    let operator = cargo::binary(&programs, "chatcluster-operator")?;
    let plugin = plugin::build()?;

    let sim = Sim { target: Target::Own { name: cluster_name() }, keep: options.keep };
    sh::run(&mut sim.target.script("build"))?;
    sh::run_shielded(&mut sim.target.script("sim-down"))?;
    sh::run(sim.target.script("sim").arg(NODES))?;

    let list = sh::output(sh::cmd(&runner, ["--list", "--format=terse"]).args(&options.filter))?;
    let (alone, together) = names(&list);
    for (tests, threads) in [(together, THREADS), (alone, THREADS_ALONE)] {
        if tests.is_empty() {
            continue;
        }
        interrupt::check()?;
        let mut run = sim.target.script("sim-exec");
        run.arg(&runner).arg("--exact").args(tests).current_dir(repo::root());
        run.env("CHATCLUSTER_OPERATOR_BIN", &operator)
            .env("CHATCLUSTER_PLUGIN_BIN", &plugin)
            .env("CHATCLUSTER_AUDIT_LOG", sim.state().join("sim/audit.log"));
        rust::test_environment(&mut run, options, threads);
        let result = sh::run(&mut run);
        if result.is_err() && !interrupt::asked() {
            sim.explain();
        }
        result?;
    }
    Ok(())
}

/// The names of tests in libtest's terse list: those that need the cluster for themselves, and the others.
fn names(list: &str) -> (Vec<&str>, Vec<&str>) {
    list.lines().filter_map(|line| line.strip_suffix(": test")).partition(|name| name.starts_with("alone::"))
}

/// A control plane with fake nodes, which is ended when dropped.
struct Sim {
    target: Target,
    keep: bool,
}

impl Sim {
    fn state(&self) -> PathBuf {
        self.target.state().unwrap_or_default()
    }

    /// Shows the objects that are left in the API server. Each test itself says where its operator's log is.
    fn explain(&self) {
        let show = ["chatclusters,statefulsets,deployments,services,events", "-A"];
        let _ = sh::run_shielded(self.target.script("sim-exec").args(["kubectl", "get"]).args(show));
        eprintln!(
            "with --keep the control plane stays, and its logs: {}",
            self.state().join("log").display()
        );
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if self.keep {
            println!(
                "kept: {}",
                sh::line(self.target.script("sim-exec").args(["kubectl", "get", "chatclusters", "-A"]))
            );
        } else if let Err(e) = sh::run_shielded(&mut self.target.script("sim-down")) {
            eprintln!("{e:#}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_tests_run_by_themselves() {
        let (alone, together) = names("alone::leader::a: test\ndrift::b: test\n");

        assert_eq!((alone, together), (vec!["alone::leader::a"], vec!["drift::b"]));
    }
}
