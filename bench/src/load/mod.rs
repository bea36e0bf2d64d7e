//! The load generator: it puts load on servers over WebSocket, measures what comes back, and checks that all
//! of it does.

mod connections;
mod dialect;
mod driver;
mod figures;
mod histogram;
mod meter;
mod options;
mod redis;
mod text;
mod track;
mod traffic;

#[cfg(test)]
mod tests;

use anyhow::{Context, Result, ensure};
use dialect::Dialect;
use driver::Driver;
use figures::rounded;
use meter::Meter;
pub(crate) use options::Options;
use options::{Mode, Protocol};
use serde::Serialize;
use serde_json::{Map, Value};

/// The result of a run.
#[derive(Debug, Serialize)]
pub(crate) struct Outcome {
    pub(crate) mode: Mode,
    pub(crate) protocol: Protocol,
    pub(crate) nodes: usize,
    pub(crate) connections: usize,
    /// Connections that were closed; has to be 0.
    pub(crate) closed: usize,
    /// The reason why the first of these was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) why: Option<String>,
    /// The number of cores that everything else kept busy.
    pub(crate) other_cores: f64,
    /// Depends on the mode.
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
