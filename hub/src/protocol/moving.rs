//! A connection with stateful reconnect on its way from one hub to another.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use serde::{Deserialize, Serialize};

use super::position::Position;
#[cfg(doc)]
use super::said::Origin;
use signalr::encoding::Encoding;
use signalr::record::Record;

/// What the next hub needs to know to hear what is said to it from some point on.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hears {
    /// The client's encoding; otherwise it is JSON.
    pub messagepack: bool,
    /// Whose it is.
    pub user: Option<String>,
    /// Its groups.
    pub groups: Vec<String>,
    /// What it is at the hub that has it, see [`Origin`].
    pub was: String,
}

impl Hears {
    /// The client's encoding.
    pub fn encoding(&self) -> Encoding {
        if self.messagepack { Encoding::MessagePack } else { Encoding::Json }
    }
}

/// All that makes it the same connection for its client.
#[derive(Debug, Default, Serialize, Deserialize)]
pub struct Moving {
    /// Its rooms.
    pub rooms: Vec<MovingRoom>,
    /// Its groups.
    pub groups: Vec<String>,
    /// What it was asked and has not answered.
    pub owes: Vec<String>,
    /// How many messages came from the client.
    pub received: u64,
    /// The number of the first message in `unconfirmed`.
    pub first: u64,
    /// What the client may not have got, in base64.
    pub unconfirmed: Vec<String>,
}

/// A room that it is in.
#[derive(Debug, Serialize, Deserialize)]
pub struct MovingRoom {
    /// The room.
    pub room: String,
    /// What it is called there.
    pub name: String,
    /// It wants to know of the others.
    pub presence: bool,
    /// The last message that it was told.
    pub last: Option<Position>,
}

impl Moving {
    /// What the client may not have got.
    pub fn set_unconfirmed(&mut self, first: u64, records: &[Record]) {
        self.first = first;
        self.unconfirmed = records.iter().map(|record| BASE64_STANDARD.encode(&record[..])).collect();
    }

    /// See [`Moving::set_unconfirmed`]; `None` if it is no base64.
    pub fn records(&self) -> Option<Vec<Record>> {
        let read = |text| BASE64_STANDARD.decode(text).ok().map(Record::new);
        self.unconfirmed.iter().map(read).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_unconfirmed_arrives_byte_for_byte() {
        let records = [Record::new(vec![0, 30, 255]), Record::new("\u{1e}ü")];
        let mut moving = Moving::default();

        moving.set_unconfirmed(7, &records);
        let arrived: Moving = serde_json::from_str(&serde_json::to_string(&moving).unwrap()).unwrap();

        assert_eq!((arrived.first, arrived.records().unwrap()), (7, records.to_vec()));
    }
}
