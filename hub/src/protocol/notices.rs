//! Invocations by which the hub itself notifies a client.

use serde::Serialize;
use signalr::encoding::{Encode, Encoding};
use signalr::record::Record;

use super::position::Position;

/// Targets that only the hub itself calls, so that no client can send messages in the name of the hub or of
/// others.
const RESERVED: [&str; 6] = ["welcome", "message", "presence", "typing", "gap", "told"];

/// True if only the hub itself calls this target. Case is ignored, as it is by the npm client.
pub fn is_reserved(target: &str) -> bool {
    RESERVED.iter().any(|reserved| target.eq_ignore_ascii_case(reserved))
}

/// Sent to each client as it connects, as target `welcome`.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Welcome<'a> {
    /// The hub pod that serves the client.
    pub pod: &'a str,
    /// The connection's id.
    pub connection_id: &'a str,
    /// The hub's version.
    pub version: &'a str,
    /// `redis` if clients also receive messages from other hubs, or `memory`.
    pub backplane: &'a str,
    /// The client's user, by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The limits that the client has to keep to.
    pub limits: Limits,
}

/// The limits of a hub that concern its clients.
#[derive(Debug, Clone, Copy, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Limits {
    /// The most bytes of a message from a client.
    pub message_bytes: usize,
    /// The most characters of the name of a room, a member or a group.
    pub name_characters: usize,
    /// The most members of a room that `Who` lists.
    pub named_members: usize,
}

impl Welcome<'_> {
    /// The record for a client.
    pub fn record(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "welcome", &[self])
    }
}

/// Sent to the members of a room when messages were lost to them, as target `gap`.
#[derive(Debug, Serialize)]
pub struct Gap<'a> {
    /// The room.
    pub room: &'a str,
    /// The last message before the lost ones, if there was one.
    pub after: Option<Position>,
}

impl Encode for Gap<'_> {
    fn encode(&self, encoding: Encoding) -> Record {
        encoding.invocation(None, "gap", &[self])
    }
}

/// A message from one user to another, outside of rooms, as target `told`.
#[derive(Debug, Serialize)]
pub struct DirectMessage<'a> {
    /// The name of the sender.
    pub from: &'a str,
    /// The user of the sender, by its token.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The text of the message.
    pub text: &'a str,
    /// The time when the hub accepted the message, in milliseconds since 1970.
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
