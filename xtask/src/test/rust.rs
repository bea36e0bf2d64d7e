//! Tests that cargo runs.

use crate::cargo_json::{self, Program};
use crate::sh;
use anyhow::{Context, Result};
use serde_json::Value;
use std::process::{Command, Stdio};

/// cargo at the root of the workspace. Always for the whole of it, picking by target: with `--package` the crates below
/// would get other features, and be compiled once more.
pub(super) fn cargo(subcommand: &str) -> Command {
    sh::cargo([subcommand, "--locked", "--workspace"])
}

pub(super) fn unit() -> Result<()> {
    sh::run(cargo("test").args(["--lib", "--bins"]))
}

/// The hub's integration tests.
pub(super) fn hub() -> Result<()> {
    let metadata = sh::output(&mut sh::cargo(["metadata", "--no-deps", "--format-version=1"]))?;
    let tests = integration_tests(&serde_json::from_str(&metadata)?, "chatcluster-hub");
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
    c.args(["--no-run", "--message-format=json-render-diagnostics", "--bins", "--test", name]);
    let out = c.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    anyhow::ensure!(out.status.success(), "`{}` failed", sh::line(&c));
    Ok(cargo_json::programs(&String::from_utf8_lossy(&out.stdout)))
}

/// The names of a package's integration tests.
fn integration_tests(metadata: &Value, package: &str) -> Vec<String> {
    let packages = metadata["packages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let targets =
        packages.iter().filter(|p| p["name"] == package).filter_map(|p| p["targets"].as_array()).flatten();
    targets.filter(|t| t["kind"][0] == "test").filter_map(|t| t["name"].as_str().map(str::to_owned)).collect()
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
            {"name": "chatcluster", "targets": [{"kind": ["test"], "name": "api"}]},
        ]});
        assert_eq!(integration_tests(&metadata, "chatcluster-hub"), ["redis"]);
    }
}
