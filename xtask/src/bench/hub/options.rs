//! The command line of `cargo xtask bench hub`.

use clap::ValueEnum;
use std::path::PathBuf;

pub(crate) const MODES: &str = "\
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

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Mode {
    Broadcast,
    Rate,
    Connect,
    Idle,
}

impl Mode {
    pub(super) const ALL: [Self; 4] = [Self::Broadcast, Self::Rate, Self::Connect, Self::Idle];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Broadcast => "broadcast",
            Self::Rate => "rate",
            Self::Connect => "connect",
            Self::Idle => "idle",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Protocol {
    Json,
    Messagepack,
    Mixed,
}

#[derive(clap::Args)]
#[allow(clippy::struct_excessive_bools)] // flags, each with a meaning of its own
pub(crate) struct Hub {
    /// Only these modes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "broadcast,rate,connect,idle")]
    pub(super) modes: Vec<Mode>,
    /// The protocols of members; `mixed`: each of the two for half of the members
    #[arg(long, value_enum, value_delimiter = ',', default_value = "json,messagepack")]
    pub(super) protocols: Vec<Protocol>,
    /// The number of runs of which medians are taken; `idle` runs once
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    /// The time for which broadcast and rate are measured
    #[arg(long, default_value_t = 6.0)]
    pub(super) seconds: f64,
    /// The number of members in broadcast
    #[arg(long, default_value_t = 400)]
    pub(super) connections: usize,
    /// The number of messages in flight in broadcast
    #[arg(long, default_value_t = 16)]
    pub(super) window: usize,
    /// The number of members in rate
    #[arg(long, default_value_t = 1000)]
    pub(super) rate_connections: usize,
    /// Messages a second in rate
    #[arg(long, default_value_t = 50.0)]
    pub(super) rate: f64,
    /// The number of connections made in connect
    #[arg(long, default_value_t = 2000)]
    pub(super) connect_connections: usize,
    /// The number of connections held in idle
    #[arg(long, default_value_t = 8000)]
    pub(super) idle_connections: usize,
    /// The time for which idle is measured; hubs ping every 15 seconds
    #[arg(long, default_value_t = 30.0)]
    pub(super) idle_seconds: f64,
    /// The length of each text
    #[arg(long, default_value_t = 100)]
    pub(super) text_bytes: usize,
    /// Leave the null server out
    #[arg(long)]
    pub(super) no_floor: bool,
    /// Let Redis write its append-only file, as clusters do by default
    #[arg(long)]
    pub(super) append_only: bool,
    /// The number of cores that other work may keep busy. A run waits for that, at most half a minute, and
    /// all runs together at most ten minutes; it is repeated, at most twice, if there was more
    #[arg(long, default_value_t = 0.25, value_name = "CORES")]
    pub(super) max_other: f64,
    /// Run this command for each hub instead of building the sources; see `HUB_COMMAND` in
    /// docs/performance.md
    #[arg(long = "hub", value_name = "COMMAND")]
    pub(super) command: Option<String>,
    /// Write every run, and at the end the medians, to this file, one line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the tables to docs/performance.md
    #[arg(long)]
    pub(super) document: bool,
    /// Run for a few seconds, with few connections and unoptimised programs: only the counts mean something
    #[arg(long, conflicts_with_all = ["document", "command"])]
    pub(super) check: bool,
}
