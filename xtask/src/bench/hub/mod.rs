//! `cargo xtask bench hub`: the performance of hubs on this machine, beside the least that a server can do on
//! it.
//!
//!
//! The load generator and the null server are programs of their own, in `bench/`. The code here starts them,
//! and makes tables of their figures.

mod check;
mod listener;
mod node;
pub(crate) mod options;
mod plan;
pub(super) mod programs;
mod redis;
mod table;

use super::lines::Results;
use super::machine::{self, Quiet};
use super::page;
use crate::{interrupt, sh};
use anyhow::{Context, Result, ensure};
use options::Hub;
use plan::{Run, System};
use programs::Programs;
use serde_json::{Value, json};
use std::io::Read;
use std::process::{Command, Stdio};
use std::thread::sleep;
use std::time::Duration;

/// Stage "load" of `cargo xtask test`.
pub(crate) fn check() -> Result<()> {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        hub: Hub,
    }
    let Only { hub } = clap::Parser::try_parse_from(["bench", "--check"])?;
    bench(&hub)
}

pub(super) fn bench(options: &Hub) -> Result<()> {
    let small;
    let options = if options.check {
        small = plan::small(options);
        &small
    } else {
        options
    };
    machine::allow_descriptors(plan::most_connections(options) as u64 + 300)?;
    let programs = programs::build(options)?;
    let machine = machine::describe()?;
    let mut kept = Results::create(options.json.as_deref())?;
    kept.keep(&json!({"machine": machine.clone(), "redis": machine::redis()}))?;

    let mut quiet = Quiet::new(options.max_other);
    let (mut results, mut wrong) = (Vec::new(), Vec::new());
    for run in plan::runs(options) {
        interrupt::check()?;
        println!("round {} of {}: {} {}", run.round, options.rounds, run.mode.name(), run.system.name());
        let result = measure(options, &programs, &run, &mut quiet)?;
        for fault in check::faults(&result) {
            let fault = format!("{} {}: {fault}", run.mode.name(), run.system.name());
            eprintln!("  WRONG: {fault}");
            wrong.push(fault);
        }
        kept.keep(&result)?;
        results.push(result);
    }
    for line in table::medians(&results) {
        kept.keep(&line)?;
    }
    let tables = table::all(&results);
    if !options.check {
        println!("\n{}\n\n{tables}", machine.as_text(&machine::redis()));
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    println!("{}", check::summary(&results));
    if options.document {
        page::HUB.write(&format!("{}\n\n{tables}", machine.as_text(&machine::redis())))?;
    }
    Ok(())
}

/// One run, which is repeated if other work disturbs it.
fn measure(options: &Hub, programs: &Programs, run: &Run, quiet: &mut Quiet) -> Result<Value> {
    if options.check {
        return once(options, programs, run);
    }
    let mut tries = 3;
    loop {
        quiet.wait()?;
        let result = once(options, programs, run)?;
        tries -= 1;
        let other = result["other_cores"].as_f64().unwrap_or_default();
        // A faulty result is kept, however busy the machine was.
        if tries == 0 || !quiet.again(other) || !check::faults(&result).is_empty() {
            return Ok(result);
        }
        println!("  again: something else kept {other:.2} cores busy");
    }
}

/// Each run has fresh processes, so that it does not pay for the memory or the history of another one.
fn once(options: &Hub, programs: &Programs, run: &Run) -> Result<Value> {
    let redis = match run.system {
        System::Hub(_) => Some(redis::Redis::start(options.append_only)?),
        System::Floor | System::FloorBatch => None,
    };
    let nodes = node::start(programs, run.system, redis.as_ref())?;
    let mut load = sh::cmd(&programs.bench, ["load"]);
    load.args(run.arguments(options));
    for node in &nodes {
        load.args(["--node", &node.address().to_string(), "--pid", &node.pid().to_string()]);
    }
    if let Some(redis) = &redis {
        load.args(["--redis-port", &redis.port().to_string(), "--redis-pid", &redis.pid().to_string()]);
        load.arg("--redis-password-file").arg(redis.password_file());
    }
    let line = output(&mut load).or_else(|error| {
        interrupt::check()?;
        Err(error.context(nodes.iter().map(node::Node::last_words).collect::<String>()))
    })?;
    let mut result: Value = serde_json::from_str(&line).context("the generator's result")?;
    result["system"] = run.system.name().into();
    result["round"] = run.round.into();
    Ok(result)
}

/// Runs the generator, and returns its output, a line that fits into a pipe. A signal to us ends it.
fn output(load: &mut Command) -> Result<String> {
    let mut process =
        load.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().context("cannot start the generator")?;
    let status = loop {
        if interrupt::asked() {
            sh::end(&mut process);
            interrupt::check()?;
        }
        match process.try_wait()? {
            Some(status) => break status,
            None => sleep(Duration::from_millis(50)),
        }
    };
    ensure!(status.success(), "`{}` failed ({status})", sh::line(load));
    let mut line = String::new();
    process.stdout.context("its output is a pipe")?.read_to_string(&mut line)?;
    Ok(line)
}
