//! Tests that cargo runs.

use super::options::Options;
use crate::cargo::{self, Program};
use crate::{repo, sh};
use anyhow::Result;
use serde_json::Value;
use std::process::Command;

pub(super) fn unit() -> Result<()> {
    sh::run(cargo::workspace("test").args(["--lib", "--bins", "--test", "house"]))
}

/// Stage "hub": the hub's integration tests.
pub(super) fn hub() -> Result<()> {
    let tests = integration_tests(&metadata()?, |package, _| package == "chatcluster-hub");
    anyhow::ensure!(!tests.is_empty(), "the hub has no integration tests");
    let mut c = cargo::workspace("test");
    for test in tests {
        c.args(["--test", &test]);
    }
    sh::run(&mut c)
}

/// Compiles an integration test of the workspace, and the programs of its package.
pub(super) fn build_test(name: &str) -> Result<Vec<Program>> {
    let mut c = cargo::workspace("test");
    c.args(["--no-run", cargo::REPORT, "--test", name]);
    cargo::build(&mut c)
}

/// Sets the variables that `tests/README.md` promises to both test runners.
pub(super) fn test_environment(runner: &mut Command, options: &Options, threads: &str) {
    runner.env("CHATCLUSTER_REPO", repo::root()).env("CHATCLUSTER_CLUSTER", repo::cluster_script());
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        runner.env("RUST_TEST_THREADS", threads);
    }
    if options.keep {
        runner.env("CHATCLUSTER_KEEP", "1");
    }
}

/// The integration tests that `--all-targets` leaves out, because they need a cluster.
pub(super) fn cluster_tests() -> Result<Vec<String>> {
    Ok(integration_tests(&metadata()?, |_, target| target["test"] == false))
}

fn metadata() -> Result<Value> {
    let text = sh::output(&mut sh::cargo(["metadata", "--no-deps", "--format-version=1"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// The names of the integration tests that are wanted, by their package and cargo's metadata of them.
fn integration_tests(metadata: &Value, wanted: impl Fn(&str, &Value) -> bool) -> Vec<String> {
    let list = |v: &'_ Value| v.as_array().cloned().unwrap_or_default();
    let mut names = Vec::new();
    for package in list(&metadata["packages"]) {
        for target in list(&package["targets"]) {
            let test = target["kind"][0] == "test";
            if test && wanted(package["name"].as_str().unwrap_or_default(), &target) {
                names.extend(target["name"].as_str().map(str::to_owned));
            }
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn integration_tests_are_told_from_programs_and_other_packages() {
        let metadata = json!({"packages": [
            {"name": "chatcluster-hub", "targets": [
                {"kind": ["bin"], "name": "chatcluster-hub"}, {"kind": ["test"], "name": "redis"}]},
            {"name": "chatcluster", "targets": [{"kind": ["test"], "name": "api", "test": false}]},
        ]});
        assert_eq!(integration_tests(&metadata, |p, _| p == "chatcluster-hub"), ["redis"]);
        assert_eq!(integration_tests(&metadata, |_, t| t["test"] == false), ["api"]);
    }
}
