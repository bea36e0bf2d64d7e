//! The command line of the load generator.

use super::dialect::Wire;
use super::text;
use clap::ValueEnum;
use serde::Serialize;
use signalr::encoding::Encoding;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(clap::Args, Clone)]
pub(crate) struct Options {
    #[arg(long, value_enum)]
    pub(crate) mode: Mode,
    #[arg(long, value_enum, default_value = "json")]
    pub(crate) protocol: Protocol,
    /// An address on loopback; once for each node
    #[arg(long = "node", required = true)]
    pub(crate) nodes: Vec<SocketAddr>,
    /// The process of a node, whose processor time and memory is measured
    #[arg(long = "pid")]
    pub(crate) pids: Vec<u32>,
    #[arg(long, requires = "redis_password_file")]
    pub(crate) redis_port: Option<u16>,
    #[arg(long)]
    pub(crate) redis_pid: Option<u32>,
    #[arg(long)]
    pub(crate) redis_password_file: Option<PathBuf>,
    /// The room that all members join
    #[arg(long, default_value = "bench")]
    pub(crate) room: String,
    /// The number of members, spread over the nodes in turn
    #[arg(long, default_value_t = 400)]
    pub(crate) connections: usize,
    /// The number of members that also send texts: the first ones, and so on different nodes
    #[arg(long, default_value_t = 2)]
    pub(crate) publishers: usize,
    /// broadcast: the number of messages in flight; a message is in flight until every member has it
    #[arg(long, default_value_t = 16)]
    pub(crate) window: usize,
    /// rate: messages a second
    #[arg(long, default_value_t = 50.0)]
    pub(crate) rate: f64,
    /// The length of each text
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u16).range(text::SHORTEST as i64..))]
    pub(crate) text_bytes: u16,
    /// The time that is measured
    #[arg(long, default_value_t = 6.0)]
    pub(crate) seconds: f64,
    /// The time of the same load before that
    #[arg(long, default_value_t = 1.5)]
    pub(crate) warm_up: f64,
    /// Messages in flight count as lost after this many seconds without any delivery
    #[arg(long, default_value_t = 10.0)]
    pub(crate) patience: f64,
    /// The number of connections that are on their way to joined at a time
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
    /// Each of the two for half of the members of each node, and for half of the publishers
    Mixed,
    /// The null server's
    Raw,
}

impl Protocol {
    pub(super) fn wires(self) -> &'static [Wire] {
        match self {
            Self::Json => &[Wire::SignalR(Encoding::Json)],
            Self::Messagepack => &[Wire::SignalR(Encoding::MessagePack)],
            Self::Mixed => &[Wire::SignalR(Encoding::Json), Wire::SignalR(Encoding::MessagePack)],
            Self::Raw => &[Wire::Raw],
        }
    }
}
