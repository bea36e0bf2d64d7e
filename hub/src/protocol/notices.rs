//! Invocations by which the hub itself notifies a client.

use serde::Serialize;
use signalr::encoding::{Encode, Encoding};
use signalr::record::Record;

use super::position::Position;

/// Targets that only the hub itself calls, so that no client can put words into another one's mouth.
const RESERVED: [&str; 6] = ["welcome", "message", "presence", "typing", "gap", "told"];

/// Whether a target is the hub's own. The npm client takes no notice of case.
pub fn is_reserved(target: &str) -> bool {
    RESERVED.iter().any(|reserved| target.eq_ignore_ascii_case(reserved))
}

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

impl Encode for Gap<'_> {
    fn encode(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "gap", &[self])
    }
}

/// A text for a user, as target `told`.
#[derive(Debug, Serialize)]
pub struct DirectMessage<'a> {
    /// What the speaker is called.
    pub from: &'a str,
    /// By its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// What was said.
    pub text: &'a str,
    /// When the hub took it, in milliseconds since 1970.
    pub at: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_s_own_targets_are_reserved_in_any_case() {
        assert!(is_reserved("Message") && is_reserved("told") && !is_reserved("draw"));
    }
}
