//! Stateful reconnect as the session and its connection share it.

use std::sync::{Mutex, MutexGuard};

use signalr::record::Record;
use signalr::stateful::{ReceiveCounter, SendBuffer};
use tokio::sync::Notify;

use crate::protocol::handover_state::HandoverState;
use crate::sync::lock;

/// What a client with stateful reconnect has and has not got.
#[derive(Debug)]
pub struct Stateful {
    send_buffer: Mutex<SendBuffer>,
    room: Notify,
    received: Mutex<ReceiveCounter>,
}

impl Stateful {
    /// Nothing was sent. More than about `most_bytes` are not kept.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            send_buffer: Mutex::new(SendBuffer::new(most_bytes)),
            room: Notify::new(),
            received: Mutex::default(),
        }
    }

    /// As another hub left it.
    pub fn resumed(state: &HandoverState, most_bytes: usize) -> Option<Self> {
        let send_buffer =
            SendBuffer::new(most_bytes).resumed(state.first_sequence, state.unacknowledged_records()?);
        Some(Self {
            send_buffer: Mutex::new(send_buffer),
            room: Notify::new(),
            received: Mutex::new(ReceiveCounter::resumed(state.received)),
        })
    }

    /// What came from the client.
    pub fn received(&self) -> MutexGuard<'_, ReceiveCounter> {
        lock(&self.received)
    }

    /// The client has everything up to the message `last`.
    pub fn acknowledged(&self, last: u64) {
        self.send_buffer().acknowledged(last);
        self.room.notify_waiters();
    }

    /// Keeps what is sent now.
    pub fn sent(&self, records: &[Record]) {
        let mut send_buffer = self.send_buffer();
        for record in records {
            send_buffer.sent(record);
        }
    }

    /// What a new WebSocket begins with.
    pub fn unacknowledged(&self) -> (u64, Vec<Record>) {
        self.send_buffer().unacknowledged()
    }

    /// Waits until something more may be sent.
    pub async fn has_room(&self) {
        loop {
            let notified = self.room.notified();
            if self.send_buffer().has_room() {
                return;
            }
            notified.await;
        }
    }

    fn send_buffer(&self) -> MutexGuard<'_, SendBuffer> {
        lock(&self.send_buffer)
    }
}
