//! `cargo xtask bench operator`: the operator's requests to the API server, their time, and its memory,
//! beside the least that a client could do in its place. The phases themselves are in `bench/operator`.

mod check;
mod control;
pub(crate) mod options;
mod plot;
mod real;
mod table;

use super::lines::{Results, tail};
use super::machine::{self, Machine};
use super::page;
use crate::{cargo, images, interrupt, repo, sh};
use anyhow::{Context, Result, ensure};
use control::Control;
use options::{Operator, Run};
use serde_json::{Value, json};
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

/// Stage "requests" of `cargo xtask test`.
pub(crate) fn check() -> Result<()> {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        operator: Operator,
    }
    let Only { operator } = clap::Parser::try_parse_from(["bench", "--check"])?;
    bench(&operator)
}

/// The programs of a run.
struct Programs {
    operator: PathBuf,
    bench: PathBuf,
}

pub(super) fn bench(options: &Operator) -> Result<()> {
    let (machine, results) = match &options.from {
        Some(file) => read(file)?,
        None => measure_all(options)?,
    };
    let tables = table::all(&results);
    let machine = machine.as_text(KUBERNETES);
    println!("\n{machine}\n\n{tables}");
    if options.document {
        let plot = plot::write(&results)?;
        page::OPERATOR.write(&format!("{machine}\n\n{plot}\n\n{tables}"))?;
    }
    let wrong: Vec<String> = results.iter().flat_map(check::faults).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn measure_all(options: &Operator) -> Result<(Machine, Vec<Value>)> {
    let programs = build(options)?;
    let machine = machine::describe()?;
    let mut kept = Results::create(options.json.as_deref())?;
    kept.keep(&json!({"machine": machine.clone()}))?;
    let mut results = Vec::new();
    let mut each = |result: Value| {
        println!("  {}", table::progress(&result));
        for fault in check::faults(&result) {
            eprintln!("  WRONG: {fault}");
        }
        kept.keep(&result)?;
        results.push(result);
        Ok(())
    };
    for run in options.runs() {
        println!("{} clusters{}", run.clusters, if run.pods { "" } else { " without pods" });
        measure(options, &programs, run, &mut each)?;
    }
    if options.real_rounds() > 0 {
        println!("real pods");
        real::measure(&programs.bench, options.real_rounds(), &mut each)?;
    }
    Ok((machine, results))
}

/// Reads earlier results. Files may have been appended to each other: the machine of the first one counts.
fn read(file: &Path) -> Result<(Machine, Vec<Value>)> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    let lines: Vec<Value> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
    let (machines, results): (Vec<Value>, Vec<Value>) =
        lines.into_iter().partition(|line| line["machine"].is_object());
    let machine = machines.into_iter().next().context("the file does not say on which machine")?;
    Ok((serde_json::from_value(machine["machine"].clone())?, results))
}

/// One run, on a control plane of its own.
fn measure(
    options: &Operator,
    programs: &Programs,
    run: Run,
    each: &mut impl FnMut(Value) -> Result<()>,
) -> Result<()> {
    let control = Control::start(run, options.keep)?;
    let log = repo::scratch("bench")?.join(format!("operator-{}.log", run.clusters));
    let _ = std::fs::remove_file(&log);
    let mut driver = control.exec(&programs.bench);
    driver.args(["run", "--clusters", &run.clusters.to_string()]);
    driver.arg("--operator").arg(&programs.operator).arg("--operator-log").arg(&log);
    driver.arg("--operator-kubeconfig").arg(control.operators_kubeconfig()?);
    driver.arg("--kubeconfig").arg(control.kubeconfig_of_bench()?);
    driver.arg("--audit-log").arg(control.audit_log()).envs(control.environment()?);
    driver.args(options.phases());
    if !run.pods {
        driver.arg("--without-pods");
    }
    follow(&mut driver, each).with_context(|| tail(&log, 5))
}

/// Runs the driver to its end, and passes on each line of its output. A signal to us ends it.
fn follow(driver: &mut Command, each: &mut impl FnMut(Value) -> Result<()>) -> Result<()> {
    let mut process = driver
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("cannot start the program in bench/operator")?;
    let output = process.stdout.take().context("its output is a pipe")?;
    let (sender, lines) = mpsc::channel();
    let reader = std::thread::spawn(move || {
        BufReader::new(output).lines().map_while(Result::ok).try_for_each(|line| sender.send(line))
    });
    let done = loop {
        if interrupt::asked() {
            break interrupt::check();
        }
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(line) => {
                let taken = serde_json::from_str(&line).context("a result").and_then(&mut *each);
                if taken.is_err() {
                    break taken;
                }
            }
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break Ok(()),
        }
    };
    if done.is_err() {
        sh::end(&mut process);
    }
    let status = process.wait()?;
    drop(lines);
    let _ = reader.join();
    done?;
    ensure!(status.success(), "`{}` failed ({status})", sh::line(driver));
    Ok(())
}

/// Compiles the programs: as for the image or, if only counts matter, as the tests do.
fn build(options: &Operator) -> Result<Programs> {
    let mut command = if options.check {
        let mut command = cargo::workspace("build");
        command.args(["--bin", OPERATOR]);
        command
    } else {
        sh::cargo(["build", "--locked", "--release", "--package", BENCH])
    };
    command.args(["--bin", BENCH, cargo::REPORT]);
    let made = cargo::build(&mut command)?;
    let operator = match &options.program {
        Some(program) => std::fs::canonicalize(program).context("the operator's program")?,
        None if options.check => cargo::binary(&made, OPERATOR)?,
        None => images::binaries()?.join(OPERATOR),
    };
    Ok(Programs { operator, bench: cargo::binary(&made, BENCH)? })
}

/// The version that `cluster/` builds.
const KUBERNETES: &str = "Kubernetes 1.34";
const OPERATOR: &str = "chatcluster-operator";
const BENCH: &str = "chatcluster-bench-operator";
