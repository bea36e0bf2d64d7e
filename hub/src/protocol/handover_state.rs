//! The data of a connection with stateful reconnect while it is handed over from one hub to another.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

#[cfg(doc)]
use super::connection_ref::ConnectionRef;
use super::position::Position;
use signalr::encoding::Encoding;
use signalr::record::Record;

/// The subscriptions of a connection: all that the next hub needs to deliver messages to it from the cut on.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Subscriptions {
    /// True if the client's encoding is `MessagePack`; otherwise it is JSON.
    pub messagepack: bool,
    /// The user, if the client is authenticated.
    pub user: Option<String>,
    /// The groups of the connection.
    pub groups: Vec<String>,
    /// The connection on the hub that hands it over, as a [`ConnectionRef`].
    #[serde(rename = "was")]
    pub origin: String,
}

impl Subscriptions {
    /// The client's encoding.
    pub fn encoding(&self) -> Encoding {
        if self.messagepack { Encoding::MessagePack } else { Encoding::Json }
    }
}

/// The state that lets the client continue with the same connection.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct HandoverState {
    /// The rooms of which the connection is a member.
    pub rooms: Vec<HandoverRoom>,
    /// The groups of the connection.
    pub groups: Vec<String>,
    /// Ids of the invocations that the client has not answered yet.
    #[serde(rename = "owes")]
    pub unanswered: Vec<String>,
    /// The number of messages received from the client.
    pub received: u64,
    /// The sequence number of the first message in `unacknowledged`.
    #[serde(rename = "first")]
    pub first_sequence: u64,
    /// The messages that the client has not acknowledged, in base64.
    #[serde(rename = "unconfirmed")]
    pub unacknowledged: Vec<String>,
}

/// The membership in a room.
#[derive(Debug, Serialize, Deserialize)]
pub struct HandoverRoom {
    /// The room.
    pub room: String,
    /// The member's name in the room.
    pub name: String,
    /// True if the member wants to be notified of the other members.
    pub presence: bool,
    /// The last message that was delivered to the member.
    pub last: Option<Position>,
}

impl HandoverState {
    /// Stores the messages that the client has not acknowledged.
    pub fn set_unacknowledged(&mut self, first: u64, records: &[Record]) {
        self.first_sequence = first;
        self.unacknowledged = records.iter().map(|record| BASE64_STANDARD.encode(&record[..])).collect();
    }

    /// Returns the messages of [`HandoverState::set_unacknowledged`]; `None` if they are not base64.
    pub fn unacknowledged_records(&self) -> Option<Vec<Record>> {
        let read = |text| BASE64_STANDARD.decode(text).ok().map(Record::new);
        self.unacknowledged.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn unacknowledged_messages_arrive_byte_for_byte() {
        let records = [Record::new(vec![0, 30, 255]), Record::new("\u{1e}ü")];
        let mut state = HandoverState::default();

        state.set_unacknowledged(7, &records);
        let arrived: HandoverState = serde_json::from_str(&serde_json::to_string(&state).unwrap()).unwrap();

        assert_eq!(
            (arrived.first_sequence, arrived.unacknowledged_records().unwrap()),
            (7, records.to_vec())
        );
    }
}
