//! One hub alone: what is published is delivered at once.

use axum::extract::ws::Utf8Bytes;

use super::{Inbound, Receipt};
use crate::protocol::room::RoomName;

/// See the module.
#[derive(Debug)]
pub struct Memory {
    inbound: Inbound,
}

impl Memory {
    /// Delivers to `inbound`.
    pub fn new(inbound: Inbound) -> Self {
        Self { inbound }
    }

    /// Delivers a record to the members of a room.
    pub fn publish(&self, room: &RoomName, record: &Utf8Bytes, receipt: Receipt) {
        self.inbound.metrics.heard.add(1);
        self.inbound.rooms.deliver(room.as_str(), record, &self.inbound.metrics);
        receipt.report(Ok(()));
    }
}
