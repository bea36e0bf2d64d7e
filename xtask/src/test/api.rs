//! The operator, outside any cluster, against a real API server with fake nodes: no container ever runs.

use super::{Options, rust};
use crate::target::Target;
use crate::{cargo_json, interrupt, repo, sh};
use anyhow::Result;

/// How many fake nodes
const NODES: &str = "3";

pub(super) fn run(options: &Options) -> Result<()> {
    let programs = rust::build_test("api")?;
    let runner = cargo_json::test_runner(&programs, "api")?;
    let operator = cargo_json::binary(&programs, "chatcluster-operator")?;

    let sim = Sim { target: Target::Own { name: super::e2e::own_name() }, keep: options.keep };
    sh::run(&mut sim.target.script("build"))?;
    sh::run_shielded(&mut sim.target.script("sim-down"))?;
    sh::run(sim.target.script("sim").arg(NODES))?;

    let mut tests = sim.target.script("sim-exec");
    tests.arg(runner).args(&options.filter);
    tests.env("CHATCLUSTER_OPERATOR_BIN", operator).env("CHATCLUSTER_REPO", repo::root());
    tests.env("CHATCLUSTER_CLUSTER", repo::cluster_script()).current_dir(repo::root());
    let result = sh::run(&mut tests);
    if result.is_err() && !interrupt::asked() {
        sim.explain();
    }
    result
}

/// A control plane with fake nodes; ended when dropped.
struct Sim {
    target: Target,
    keep: bool,
}

impl Sim {
    /// What remains in the API server, and where its logs are.
    fn explain(&self) {
        let show = ["chatclusters,statefulsets,deployments,services,events", "-A"];
        let _ = sh::run_shielded(self.target.script("sim-exec").args(["kubectl", "get"]).args(show));
        if let Target::Own { name } = &self.target {
            eprintln!(
                "logs of the control plane: /run/{name}/log with --keep, and what it was asked: /run/{name}/sim/audit.log"
            );
        }
    }
}

impl Drop for Sim {
    fn drop(&mut self) {
        if self.keep {
            println!("kept: {} sim-exec kubectl …", sh::line(&self.target.script("")));
        } else if let Err(e) = sh::run_shielded(&mut self.target.script("sim-down")) {
            eprintln!("{e:#}");
        }
    }
}
