//! `cargo xtask bench`: what hubs can do on this machine, beside the least that a server can do on it.
//!
//! The load generator and the null server are programs of their own, in `bench/`. Here is what starts them, and what is
//! made of their figures.

mod check;
mod machine;
mod node;
mod page;
mod plan;
mod redis;
mod table;

use crate::{cargo_json, interrupt, repo, sh};
use anyhow::{Context, Result, bail, ensure};
use clap::Subcommand;
use plan::{Mode, Protocol, Run, System};
use serde_json::{Value, json};
use std::fs::File;
use std::io::Write;
use std::path::PathBuf;
use std::process::Stdio;

/// Measure on this machine: how fast, and at what cost
#[derive(Subcommand)]
#[command(after_long_help = MODES)]
pub(crate) enum Options {
    /// Two hubs on one Redis with a password, all on loopback, under the load of a generator of our own
    #[command(after_long_help = MODES)]
    Hub(Box<Hub>),
}

const MODES: &str = "\
Modes:
  broadcast  Closed loop: members of one room, two of whom, on different hubs, say something whenever one of the messages
             that are on their way has reached everybody. Deliveries a second; processor time of a delivery
  rate       Open loop: so many messages a second on a fixed schedule, whatever comes back. Latency counts from the time
             that a message was due
  connect    Connections one after the other, some on their way at a time, from connect(2) to joined
  idle       Joined connections in which nothing happens: memory and processor time of each

With the hubs, a null server is measured: it writes a frame that is ready to each member, one by one (floor) or up to 16 at
once (floor-batch). In brackets, a hub's figure is divided by the floor's. docs/performance.md says more.

Fails when a message is lost, comes twice or out of order, when a connection is closed, or when Redis has more to do than it
should. It never fails because of times.";

#[derive(clap::Args)]
pub(crate) struct Hub {
    /// Only these modes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "broadcast,rate,connect,idle")]
    modes: Vec<Mode>,
    /// What members speak; `mixed`: half of them each
    #[arg(long, value_enum, value_delimiter = ',', default_value = "json")]
    protocols: Vec<Protocol>,
    /// Medians are taken of so many runs; `idle` runs once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How long broadcast and rate are measured
    #[arg(long, default_value_t = 6.0)]
    seconds: f64,
    /// Members in broadcast
    #[arg(long, default_value_t = 400)]
    connections: usize,
    /// Messages on their way at a time in broadcast
    #[arg(long, default_value_t = 16)]
    window: usize,
    /// Members in rate
    #[arg(long, default_value_t = 1000)]
    rate_connections: usize,
    /// Messages a second in rate
    #[arg(long, default_value_t = 50.0)]
    rate: f64,
    /// Connections made in connect
    #[arg(long, default_value_t = 2000)]
    connect_connections: usize,
    /// Connections held in idle
    #[arg(long, default_value_t = 8000)]
    idle_connections: usize,
    /// How long idle is measured; hubs ping every 15 seconds
    #[arg(long, default_value_t = 30.0)]
    idle_seconds: f64,
    /// Bytes of each text
    #[arg(long, default_value_t = 100)]
    text_bytes: usize,
    /// Leave the null server out
    #[arg(long)]
    no_floor: bool,
    /// Redis also writes its log of what changed, as clusters do by default
    #[arg(long)]
    append_only: bool,
    /// How many cores may be busy with other work: a run waits for that, half a minute at most, and is repeated, twice at
    /// most, if there was more
    #[arg(long, default_value_t = 0.25, value_name = "CORES")]
    max_other: f64,
    /// Run this for each hub instead of building the sources; see HUB_COMMAND in docs/performance.md
    #[arg(long, value_name = "COMMAND")]
    hub: Option<String>,
    /// Write every run, and at the end the medians, to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Write the tables to docs/performance.md
    #[arg(long)]
    document: bool,
    /// A few seconds with few connections and programs that are not optimised: only the counts mean something
    #[arg(long, conflicts_with_all = ["document", "hub"])]
    check: bool,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    let Options::Hub(hub) = options;
    bench(hub).map(drop)
}

/// The stage of `cargo xtask test`.
pub(crate) fn check() -> Result<()> {
    #[derive(clap::Parser)]
    struct Only {
        #[command(flatten)]
        hub: Hub,
    }
    let Only { hub } = clap::Parser::try_parse_from(["bench", "--check"])?;
    bench(&hub)
}

/// The programs that take part.
struct Programs {
    hub_command: String,
    bench: PathBuf,
}

fn bench(options: &Hub) -> Result<()> {
    let small;
    let options = if options.check {
        small = plan::small(options);
        &small
    } else {
        options
    };
    machine::allow_descriptors(plan::most_connections(options) as u64 + 300)?;
    let programs = build(options)?;
    let machine = machine::describe()?;
    let mut lines =
        options.json.as_ref().map(File::create).transpose().context("cannot write the JSON file")?;
    let mut keep = |line: &Value| match &mut lines {
        Some(file) => writeln!(file, "{line}").context("cannot write the JSON file"),
        None => Ok(()),
    };
    keep(&json!({"machine": machine.clone()}))?;

    let (mut results, mut wrong) = (Vec::new(), Vec::new());
    for run in plan::runs(options) {
        interrupt::check()?;
        println!("round {} of {}: {} {}", run.round, options.rounds, run.mode.name(), run.system.name());
        let result = measure(options, &programs, &run)?;
        for fault in check::faults(&result) {
            let fault = format!("{} {}: {fault}", run.mode.name(), run.system.name());
            eprintln!("  WRONG: {fault}");
            wrong.push(fault);
        }
        keep(&result)?;
        results.push(result);
    }
    let tables = table::all(&results);
    println!("\n{}\n\n{tables}", machine.as_text());
    for line in table::medians(&results) {
        keep(&line)?;
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    if options.document {
        page::write(&machine, &tables)?;
    }
    Ok(())
}

/// One run, repeated while other work disturbs it.
fn measure(options: &Hub, programs: &Programs, run: &Run) -> Result<Value> {
    let mut repeats = 2;
    loop {
        if !options.check {
            machine::await_quiet(options.max_other)?;
        }
        let result = once(options, programs, run)?;
        let other = result["other_cores"].as_f64().unwrap_or_default();
        if options.check || other <= options.max_other || repeats == 0 {
            return Ok(result);
        }
        println!("  again: something else kept {other:.2} cores busy");
        repeats -= 1;
    }
}

/// Fresh processes for each run: no run pays for the memory or the history of another one.
fn once(options: &Hub, programs: &Programs, run: &Run) -> Result<Value> {
    let redis = match run.system {
        System::Hub(_) => Some(redis::Redis::start(options.append_only)?),
        System::Floor | System::FloorBatch => None,
    };
    let nodes = node::start(programs, run.system, redis.as_ref())?;
    let mut load = sh::cmd(&programs.bench, ["load"]);
    load.args(run.arguments(options)).stdin(Stdio::null());
    for node in &nodes {
        load.args(["--node", &node.address().to_string(), "--pid", &node.pid().to_string()]);
    }
    if let Some(redis) = &redis {
        load.args(["--redis-port", &redis.port().to_string(), "--redis-pid", &redis.pid().to_string()]);
        load.arg("--redis-password-file").arg(redis.password_file());
    }
    let line = match sh::output(&mut load) {
        Ok(line) => line,
        Err(error) => {
            let logs: String = nodes.iter().map(node::Node::last_words).collect();
            bail!("{error:#}\n{logs}");
        }
    };
    let mut result: Value = serde_json::from_str(&line).context("the generator's result")?;
    result["system"] = run.system.name().into();
    result["round"] = run.round.into();
    Ok(result)
}

/// Compiles what takes part, optimised unless only counts matter.
fn build(options: &Hub) -> Result<Programs> {
    let mut cargo = if options.check {
        sh::cargo(["build", "--locked", "--workspace"]) // as the other stages of the tests do
    } else {
        sh::cargo([
            "build",
            "--locked",
            "--release",
            "--package",
            "chatcluster-hub",
            "--package",
            "chatcluster-bench",
        ])
    };
    cargo.args(["--bin", "chatcluster-bench", "--message-format=json-render-diagnostics"]);
    if options.hub.is_none() {
        cargo.args(["--bin", HUB]);
    }
    let out = cargo.stdin(Stdio::null()).stderr(Stdio::inherit()).output().context("cannot start cargo")?;
    ensure!(out.status.success(), "`{}` failed", sh::line(&cargo));
    let built = cargo_json::programs(&String::from_utf8_lossy(&out.stdout));
    let hub_command = match &options.hub {
        Some(command) => command.clone(),
        None => {
            let path = cargo_json::binary(&built, HUB)?;
            node::HUB_COMMAND.replace(node::HUB_PROGRAM, &path.to_string_lossy())
        }
    };
    Ok(Programs { hub_command, bench: cargo_json::binary(&built, "chatcluster-bench")? })
}

const HUB: &str = "chatcluster-hub";

/// Where logs and the like of a bench are.
fn scratch() -> Result<PathBuf> {
    repo::scratch("bench")
}
