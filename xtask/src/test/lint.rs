//! Stage "lint": checks of the sources that need not run them.

use super::{chart, npm, report, rust};
use crate::{cargo, crds, interrupt, repo, sh};
use anyhow::{Result, ensure};
use std::process::Command;
use std::time::Instant;

/// The version to install if cargo-deny is missing.
const CARGO_DENY: &str = "0.20.2";

type Check = fn() -> Result<()>;

pub(super) fn run() -> Result<()> {
    let checks: [(&str, Check); 9] = [
        ("rustfmt", rustfmt),
        ("clippy", clippy),
        ("cargo-deny", cargo_deny),
        ("shellcheck", shellcheck),
        ("generated files", || crds::run(true)),
        ("chart: helm lint", chart::helm_lint),
        ("chart: templates", chart::templates),
        ("web page: types", || web("check")),
        ("web page: unit tests", || web("test")),
    ];
    let mut failed = Vec::new();
    for (name, check) in checks {
        interrupt::check()?;
        println!("{name} …");
        let start = Instant::now();
        match check() {
            Ok(()) => println!("{name}: ok, {}", report::minutes(start.elapsed())),
            Err(e) => {
                eprintln!("{name}: FAILED: {e:#}");
                failed.push(name);
            }
        }
    }
    ensure!(failed.is_empty(), "{}", failed.join(", "));
    Ok(())
}

fn here(program: &str, args: &[&str]) -> Command {
    let mut c = sh::cmd(program, args);
    c.current_dir(repo::root());
    c
}

fn rustfmt() -> Result<()> {
    sh::run(&mut sh::cargo(["fmt", "--all", "--check"]))
}

fn clippy() -> Result<()> {
    let warnings = ["--", "-D", "warnings"];
    sh::run(cargo::workspace("clippy").args(["--quiet", "--all-targets"]).args(warnings))?;
    let mut others = cargo::workspace("clippy");
    others.arg("--quiet");
    for test in rust::cluster_tests()? {
        others.args(["--test", &test]);
    }
    sh::run(others.args(warnings))
}

fn cargo_deny() -> Result<()> {
    if !sh::works(&mut sh::cargo(["deny", "--version"])) {
        println!("  installing cargo-deny {CARGO_DENY}");
        // Built without optimisations: an optimised build takes minutes more than it would ever save here.
        sh::run(&mut sh::cargo([
            "install",
            "--quiet",
            "--locked",
            "--debug",
            "cargo-deny",
            "--version",
            CARGO_DENY,
        ]))?;
    }
    let mut checks = vec!["bans", "licenses", "sources"];
    if sh::works(&mut here("timeout", &["60", "cargo", "deny", "fetch", "db"])) {
        checks.insert(0, "advisories");
    } else {
        println!("  advisories were NOT checked: their database (on github.com) cannot be fetched");
    }
    let quietly = ["deny", "--log-level", "error", "--workspace", "check", "--hide-inclusion-graph"];
    sh::run(sh::cargo(quietly).args(checks))
}

/// Checks every script of the repository; a script is known by its first line.
fn shellcheck() -> Result<()> {
    let files = sh::output(&mut here("git", &["grep", "-lIE", "--untracked", "^#!.*[ /](ba)?sh$"]))?;
    let scripts: Vec<&str> = files.lines().filter(|f| is_script(f)).collect();
    println!("  {}", scripts.join(" "));
    sh::run(here("shellcheck", &["--severity=style"]).args(scripts))
}

/// True if the first line of the file, and not only some other one, names a shell.
fn is_script(file: &str) -> bool {
    std::fs::read_to_string(repo::root().join(file)).is_ok_and(|text| text.starts_with("#!"))
}

/// Runs a script of the page's package.json.
fn web(script: &str) -> Result<()> {
    let web = repo::root().join("hub/web");
    npm::install(&web)?;
    sh::run(sh::cmd("npm", ["run", "--silent", script]).current_dir(web))
}
