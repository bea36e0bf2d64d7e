//! Stateful reconnect as the session and its connection share it.

use std::sync::{Mutex, MutexGuard};

use signalr::record::Record;
use signalr::stateful::{Received, Unconfirmed};
use tokio::sync::Notify;

use crate::protocol::moving::Moving;
use crate::sync::lock;

/// What a client with stateful reconnect has and has not got.
#[derive(Debug)]
pub struct Stateful {
    unconfirmed: Mutex<Unconfirmed>,
    room: Notify,
    received: Mutex<Received>,
}

impl Stateful {
    /// Nothing was sent. More than about `most_bytes` are not kept.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            unconfirmed: Mutex::new(Unconfirmed::new(most_bytes)),
            room: Notify::new(),
            received: Mutex::default(),
        }
    }

    /// As another hub left it.
    pub fn going_on(moving: &Moving, most_bytes: usize) -> Option<Self> {
        let unconfirmed = Unconfirmed::new(most_bytes).going_on(moving.first, moving.records()?);
        Some(Self {
            unconfirmed: Mutex::new(unconfirmed),
            room: Notify::new(),
            received: Mutex::new(Received::going_on(moving.received)),
        })
    }

    /// What came from the client.
    pub fn received(&self) -> MutexGuard<'_, Received> {
        lock(&self.received)
    }

    /// The client has everything up to the message `last`.
    pub fn confirmed(&self, last: u64) {
        self.unconfirmed().confirmed(last);
        self.room.notify_waiters();
    }

    /// Keeps what is sent now.
    pub fn sent(&self, records: &[Record]) {
        let mut unconfirmed = self.unconfirmed();
        for record in records {
            unconfirmed.sent(record);
        }
    }

    /// What a new WebSocket begins with.
    pub fn again(&self) -> (u64, Vec<Record>) {
        self.unconfirmed().again()
    }

    /// Waits until something more may be sent.
    pub async fn has_room(&self) {
        loop {
            let notified = self.room.notified();
            if self.unconfirmed().has_room() {
                return;
            }
            notified.await;
        }
    }

    fn unconfirmed(&self) -> MutexGuard<'_, Unconfirmed> {
        lock(&self.unconfirmed)
    }
}
