//! Tests that cargo runs.

use super::Options;
use crate::cargo_json::{self, Program};
use crate::{repo, sh};
use anyhow::{Context, Result};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// cargo at the root of the workspace. Always for the whole of it, picking by target: with `--package` the crates below
/// would get other features, and be compiled once more.
pub(super) fn cargo(subcommand: &str) -> Command {
    sh::cargo([subcommand, "--locked", "--workspace"])
}

pub(super) fn unit() -> Result<()> {
    sh::run(cargo("test").args(["--lib", "--bins", "--test", "house"]))
}

/// The hub's integration tests.
pub(super) fn hub() -> Result<()> {
    let tests = integration_tests(&metadata()?, |package, _| package == "chatcluster-hub");
    anyhow::ensure!(!tests.is_empty(), "the hub has no integration tests");
    let mut c = cargo("test");
    for test in tests {
        c.args(["--test", &test]);
    }
    sh::run(&mut c)
}

/// Compiles an integration test of the workspace, and with it the programs of its package.
pub(super) fn build_test(name: &str) -> Result<Vec<Program>> {
    let mut c = cargo("test");
    c.args(["--no-run", "--message-format=json-render-diagnostics", "--test", name]);
    programs(&mut c)
}

/// What cargo made.
fn programs(c: &mut Command) -> Result<Vec<Program>> {
    let out = c.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    anyhow::ensure!(out.status.success(), "`{}` failed", sh::line(c));
    Ok(cargo_json::programs(&String::from_utf8_lossy(&out.stdout)))
}

/// Compiles the kubectl plugin, for the whole workspace as the tests are: what they share is compiled once.
pub(super) fn build_plugin() -> Result<PathBuf> {
    let mut c = cargo("build");
    c.args(["--message-format=json-render-diagnostics", "--bin", PLUGIN]);
    cargo_json::binary(&programs(&mut c)?, PLUGIN)
}

const PLUGIN: &str = "kubectl-chat";

/// What `tests/README.md` promises to both runners.
pub(super) fn test_environment(runner: &mut Command, options: &Options, threads: &str) {
    runner.env("CHATCLUSTER_REPO", repo::root()).env("CHATCLUSTER_CLUSTER", repo::cluster_script());
    if std::env::var_os("RUST_TEST_THREADS").is_none() {
        runner.env("RUST_TEST_THREADS", threads);
    }
    if options.keep {
        runner.env("CHATCLUSTER_KEEP", "1");
    }
}

/// The integration tests that `--all-targets` leaves out, as they need a cluster.
pub(super) fn cluster_tests() -> Result<Vec<String>> {
    Ok(integration_tests(&metadata()?, |_, target| target["test"] == false))
}

fn metadata() -> Result<Value> {
    let text = sh::output(&mut sh::cargo(["metadata", "--no-deps", "--format-version=1"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// The names of the integration tests that are wanted, by their package and by what cargo says of them.
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
