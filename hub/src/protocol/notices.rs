//! What the hub itself tells a client that it serves.

use serde::Serialize;
use signalr::encoding::{Encoding, Say};
use signalr::record::Record;

use super::position::Position;

/// Sent to each client as it connects, as target `welcome`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome<'a> {
    /// The hub pod that serves the client.
    pub pod: &'a str,
    /// What the hub calls this connection.
    pub connection_id: &'a str,
    /// The hub's version.
    pub version: &'a str,
    /// `redis` when other pods' members are heard, or `memory`.
    pub backplane: &'a str,
    /// Who the client is, by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
}

impl Welcome<'_> {
    /// The record for a client.
    pub fn record(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "welcome", &[self])
    }
}

/// Messages were lost, as target `gap`.
#[derive(Debug, Serialize)]
pub struct Gap<'a> {
    /// The room.
    pub room: &'a str,
    /// The last message before them, if there was one.
    pub after: Option<Position>,
}

impl Say for Gap<'_> {
    fn say(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "gap", &[self])
    }
}
