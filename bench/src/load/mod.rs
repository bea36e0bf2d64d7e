//! The load generator: puts load on servers over WebSocket, measures what comes back, and checks that it is all there.

mod connections;
pub(crate) mod dialect;
mod driver;
mod histogram;
mod meter;
mod redis;
mod text;
mod track;
mod traffic;

#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use clap::ValueEnum;
use dialect::{Dialect, Wire};
use driver::Driver;
use meter::{Meter, Used};
use serde::Serialize;
use serde_json::{Map, Value};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    #[arg(long, value_enum)]
    pub(crate) mode: Mode,
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) protocol: Protocol,
    /// An address on loopback; once for each node
    #[arg(long = "node", required = true)]
    pub(crate) nodes: Vec<SocketAddr>,
    /// The process of a node, whose processor time and memory is taken
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
    #[arg(long, requires = "redis_password_file")]
    pub(crate) redis_port: Option<u16>,
    #[arg(long)]
    pub(crate) redis_pid: Option<u32>,
    #[arg(long)]
    pub(crate) redis_password_file: Option<PathBuf>,
    /// Where all members are
    #[arg(long, default_value = "bench")]
    pub(crate) room: String,
    /// Spread over the nodes in turn
    #[arg(long, default_value_t = 400)]
    pub(crate) connections: usize,
    /// The first members, so on different nodes, also say something
    #[arg(long, default_value_t = 2)]
    pub(crate) publishers: usize,
    /// broadcast: how many messages are on their way at a time; one is until every member has it
    #[arg(long, default_value_t = 16)]
    pub(crate) window: usize,
    /// rate: messages a second
    #[arg(long, default_value_t = 50.0)]
    pub(crate) rate: f64,
    /// Of each text
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(text::SHORTEST as i64..))]
    pub(crate) text_bytes: u16,
    /// How long is measured
    #[arg(long, default_value_t = 6.0)]
    pub(crate) seconds: f64,
    /// Of the same load, before what is measured
    #[arg(long, default_value_t = 1.5)]
    pub(crate) warm_up: f64,
    /// What is still on its way after so many seconds without any delivery is lost
    #[arg(long, default_value_t = 10.0)]
    pub(crate) patience: f64,
    /// Connections that are on their way to joined at a time
    #[arg(long, default_value_t = 64)]
    pub(crate) width: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Mode {
    Broadcast,
    Rate,
    Connect,
    Idle,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum, Serialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Protocol {
    Json,
    Messagepack,
    /// Half of the members of each node, and of the publishers, each
    Mixed,
    /// The null server's
    Raw,
}

impl Protocol {
    fn wires(self) -> &'static [Wire] {
        match self {
            Self::Json => &[Wire::Json],
            Self::Messagepack => &[Wire::MessagePack],
            Self::Mixed => &[Wire::Json, Wire::MessagePack],
            Self::Raw => &[Wire::Raw],
        }
    }
}

/// What a run came to.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) mode: Mode,
    pub(crate) protocol: Protocol,
    pub(crate) nodes: usize,
    pub(crate) connections: usize,
    /// Has to be 0.
    pub(crate) closed: usize,
    /// What happened to the first connection that was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// Processors that everything else kept busy.
    pub(crate) other_cores: f64,
    /// By mode.
    #[serde(flatten)]
    pub(crate) figures: Map<String, Value>,
}

/// Runs one mode once.
pub(crate) fn run(options: &Options) -> Result<Outcome> {
    let o = options;
    ensure!(o.nodes.iter().all(|n| n.ip().is_loopback()), "load is put on loopback only");
    ensure!(
        1 <= o.publishers && o.publishers <= o.connections && o.publishers <= o.window && o.publishers < 1000,
        "there have to be connections, and messages on their way, for every publisher"
    );
    ensure!(o.rate > 0.0 && o.seconds > 0.0 && o.width > 0, "rate, seconds and width have to be above 0");
    let dialects =
        o.protocol.wires().iter().map(|&wire| Dialect::new(wire, &o.room, o.text_bytes.into())).collect();
    let mut driver = Driver::new(&o.nodes, dialects)?;
    let mut meter = meter(o)?;
    let (used, figures) = match o.mode {
        Mode::Broadcast | Mode::Rate => traffic::run(&mut driver, &mut meter, o)?,
        Mode::Connect => connections::connect(&mut driver, &mut meter, o)?,
        Mode::Idle => connections::idle(&mut driver, &mut meter, o)?,
    };
    Ok(Outcome {
        mode: o.mode,
        protocol: o.protocol,
        nodes: o.nodes.len(),
        connections: o.connections,
        closed: driver.closed,
        why: driver.why.take(),
        other_cores: rounded(used.other()),
        figures,
    })
}

fn meter(options: &Options) -> Result<Meter> {
    let redis = match (options.redis_port, &options.redis_password_file) {
        (Some(port), Some(file)) => {
            let password =
                std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
            Some(redis::Redis::connect(port, password.trim())?)
        }
        _ => None,
    };
    Ok(Meter { servers: options.pids.clone(), redis_process: options.redis_pid, redis })
}

/// A mode's figures, and what was used while they were taken.
type Measured = (Used, Map<String, Value>);

/// As a map, floats to as many digits as anyone can use.
fn figures(value: impl Serialize) -> Result<Map<String, Value>> {
    let mut value = serde_json::to_value(value)?;
    let map = value.as_object_mut().context("figures are a map")?;
    for figure in map.values_mut() {
        if let Some(float) = figure.as_f64().filter(|_| figure.is_f64()) {
            *figure = rounded(float).into();
        }
    }
    Ok(std::mem::take(map))
}

fn rounded(value: f64) -> f64 {
    (value * 1e4).round() / 1e4
}

fn seconds(s: f64) -> Duration {
    Duration::from_secs_f64(s)
}
