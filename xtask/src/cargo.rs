//! Programs and test runners that cargo builds, as `cargo … --message-format=json` reports them.

use crate::sh;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// The argument with which cargo reports what it builds in a form that [`build`] reads. Errors and warnings
/// are still shown to people.
pub(crate) const REPORT: &str = "--message-format=json-render-diagnostics";

/// An executable that cargo has built.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Program {
    pub(crate) name: String,
    pub(crate) path: PathBuf,
    /// Whether it is a test runner, rather than the program itself
    pub(crate) test: bool,
    /// `bin`, `test`, `lib`, …
    pub(crate) kind: String,
}

/// A cargo command for the whole workspace; the caller selects targets. With `--package` the dependencies
/// would get other features, and be compiled once more.
pub(crate) fn workspace(subcommand: &str) -> Command {
    sh::cargo([subcommand, "--locked", "--workspace"])
}

/// Runs a cargo command that has [`REPORT`] among its arguments. Returns the executables that it built.
pub(crate) fn build(command: &mut Command) -> Result<Vec<Program>> {
    let output =
        command.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(output.status.success(), "`{}` failed", sh::line(command));
    Ok(programs(&String::from_utf8_lossy(&output.stdout)))
}

/// All executables in cargo's messages, one JSON object on each line; other lines are skipped.
fn programs(messages: &str) -> Vec<Program> {
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok())
        .filter(|m| m["reason"] == "compiler-artifact")
        .filter_map(|m| {
            Some(Program {
                name: m["target"]["name"].as_str()?.to_owned(),
                path: m["executable"].as_str()?.into(),
                test: m["profile"]["test"].as_bool()?,
                kind: m["target"]["kind"][0].as_str()?.to_owned(),
            })
        })
        .collect()
}

/// The runner of an integration test.
pub(crate) fn test_runner(programs: &[Program], name: &str) -> Result<PathBuf> {
    let found = programs.iter().find(|p| p.test && p.kind == "test" && p.name == name);
    found.map(|p| p.path.clone()).with_context(|| format!("cargo made no test runner named {name}"))
}

/// A program of the workspace.
pub(crate) fn binary(programs: &[Program], name: &str) -> Result<PathBuf> {
    let found = programs.iter().find(|p| !p.test && p.kind == "bin" && p.name == name);
    found.map(|p| p.path.clone()).with_context(|| format!("cargo made no program named {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = r#"
{"reason":"compiler-artifact","target":{"kind":["lib"],"name":"chatcluster"},"profile":{"test":false},"executable":null}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"chatcluster-operator"},"profile":{"test":false},"executable":"/t/debug/chatcluster-operator"}
{"reason":"compiler-artifact","target":{"kind":["bin"],"name":"chatcluster-operator"},"profile":{"test":true},"executable":"/t/debug/deps/op-1"}
{"reason":"compiler-artifact","target":{"kind":["test"],"name":"api"},"profile":{"test":true},"executable":"/t/debug/deps/api-2"}
{"reason":"build-finished","success":true}
not JSON"#;

    #[test]
    fn a_test_runner_is_found_by_name() {
        assert_eq!(test_runner(&programs(SAID), "api").unwrap(), PathBuf::from("/t/debug/deps/api-2"));
        assert!(test_runner(&programs(SAID), "e2e").is_err());
    }

    #[test]
    fn a_program_is_not_mistaken_for_its_unit_tests() {
        let path = binary(&programs(SAID), "chatcluster-operator").unwrap();
        assert_eq!(path, PathBuf::from("/t/debug/chatcluster-operator"));
    }

    #[test]
    fn only_executables_count() {
        assert_eq!(programs(SAID).len(), 3);
    }
}
