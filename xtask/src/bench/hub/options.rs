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
#[allow(clippy::struct_excessive_bools)] // flags, each of which means something by itself
pub(crate) struct Hub {
    /// Only these modes
    #[arg(long, value_enum, value_delimiter = ',', default_value = "broadcast,rate,connect,idle")]
    pub(super) modes: Vec<Mode>,
    /// What members speak; `mixed`: half of them each
    #[arg(long, value_enum, value_delimiter = ',', default_value = "json,messagepack")]
    pub(super) protocols: Vec<Protocol>,
    /// Medians are taken of so many runs; `idle` runs once
    #[arg(long, default_value_t = 3)]
    pub(super) rounds: usize,
    /// How long broadcast and rate are measured
    #[arg(long, default_value_t = 6.0)]
    pub(super) seconds: f64,
    /// Members in broadcast
    #[arg(long, default_value_t = 400)]
    pub(super) connections: usize,
    /// Messages on their way at a time in broadcast
    #[arg(long, default_value_t = 16)]
    pub(super) window: usize,
    /// Members in rate
    #[arg(long, default_value_t = 1000)]
    pub(super) rate_connections: usize,
    /// Messages a second in rate
    #[arg(long, default_value_t = 50.0)]
    pub(super) rate: f64,
    /// Connections made in connect
    #[arg(long, default_value_t = 2000)]
    pub(super) connect_connections: usize,
    /// Connections held in idle
    #[arg(long, default_value_t = 8000)]
    pub(super) idle_connections: usize,
    /// How long idle is measured; hubs ping every 15 seconds
    #[arg(long, default_value_t = 30.0)]
    pub(super) idle_seconds: f64,
    /// Bytes of each text
    #[arg(long, default_value_t = 100)]
    pub(super) text_bytes: usize,
    /// Leave the null server out
    #[arg(long)]
    pub(super) no_floor: bool,
    /// Redis also writes its log of what changed, as clusters do by default
    #[arg(long)]
    pub(super) append_only: bool,
    /// How many cores may be busy with other work: a run waits for that, half a minute at most and all runs together ten
    /// minutes, and is repeated, twice at most, if there was more
    #[arg(long, default_value_t = 0.25, value_name = "CORES")]
    pub(super) max_other: f64,
    /// Run this for each hub instead of building the sources; see `HUB_COMMAND` in docs/performance.md
    #[arg(long = "hub", value_name = "COMMAND")]
    pub(super) command: Option<String>,
    /// Write every run, and at the end the medians, to this file, a line of JSON each
    #[arg(long, value_name = "FILE")]
    pub(super) json: Option<PathBuf>,
    /// Write the tables to docs/performance.md
    #[arg(long)]
    pub(super) document: bool,
    /// A few seconds with few connections and programs that are not optimised: only the counts mean something
    #[arg(long, conflicts_with_all = ["document", "command"])]
    pub(super) check: bool,
}
