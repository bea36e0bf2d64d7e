//! `cargo xtask fuzz`: libFuzzer against the code that reads input from clients, with the project's
//! toolchain. It starts from `hub/fuzz/corpus` and from the inputs that earlier runs have found, which stay
//! in the target folder. An input that breaks something belongs into `hub/fuzz/corpus`, whose files every
//! test run tries.

use crate::{repo, sh};
use anyhow::{Result, ensure};
use std::process::Command;

/// The version to install if cargo-fuzz is missing.
const CARGO_FUZZ: &str = "0.13.2";

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Only these targets
    targets: Vec<String>,
    /// The time for each target
    #[arg(long, default_value_t = 60, value_name = "SECONDS")]
    seconds: u32,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    if !sh::works(&mut sh::cargo(["fuzz", "--version"])) {
        println!("installing cargo-fuzz {CARGO_FUZZ}");
        let install = ["install", "--quiet", "--locked", "--debug", "cargo-fuzz", "--version", CARGO_FUZZ];
        sh::run(&mut sh::cargo(install))?;
    }
    let known = sh::output(&mut fuzz("list"))?;
    let known: Vec<&str> = known.lines().collect();
    for target in &options.targets {
        ensure!(known.contains(&target.as_str()), "there is no target {target}, but {}", known.join(", "));
    }
    for target in known {
        if !options.targets.is_empty() && !options.targets.iter().any(|wanted| wanted == target) {
            continue;
        }
        println!("\n━━ {target} ━━");
        let bounds = [
            format!("-max_total_time={}", options.seconds),
            // A single input that needs more time or memory than this is a fault, too.
            "-timeout=5".to_owned(),
            "-malloc_limit_mb=256".to_owned(),
            "-max_len=16384".to_owned(),
            "-print_final_stats=1".to_owned(),
        ];
        let learnt = repo::scratch(&format!("fuzz-corpus/{target}"))?;
        let corpus = repo::root().join("hub/fuzz/corpus").join(target);
        let mut run = fuzz("run");
        // libFuzzer adds new inputs to the first of the two folders.
        run.args(WITHOUT_SANITIZER).arg(target).arg(learnt).arg(corpus).arg("--").args(bounds);
        sh::run(&mut run)?;
    }
    Ok(())
}

/// Sanitizers need an unstable compiler, and find faults that safe Rust cannot have.
const WITHOUT_SANITIZER: [&str; 2] = ["--sanitizer", "none"];

fn fuzz(subcommand: &str) -> Command {
    let mut c = sh::cargo(["fuzz", subcommand, "--fuzz-dir"]);
    c.arg(repo::root().join("hub/fuzz"));
    c
}
