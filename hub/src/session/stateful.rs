//! The state of stateful reconnect, which a session and its connection share.

use std::sync::{Mutex, MutexGuard};

use signalr::record::Record;
use signalr::stateful::{ReceiveCounter, SendBuffer};
use tokio::sync::Notify;

use crate::protocol::handover_state::HandoverState;
use crate::sync::lock;

/// The state of stateful reconnect: messages that the client has not acknowledged, and the count of those
/// received from it.
#[derive(Debug)]
pub struct Stateful {
    send_buffer: Mutex<SendBuffer>,
    /// Notified when messages were acknowledged.
    freed: Notify,
    received: Mutex<ReceiveCounter>,
}

impl Stateful {
    /// The state before the first message. About `most_bytes` of sent messages are kept at most.
    pub fn new(most_bytes: usize) -> Self {
        Self {
            send_buffer: Mutex::new(SendBuffer::new(most_bytes)),
            freed: Notify::new(),
            received: Mutex::default(),
        }
    }

    /// The state that another hub handed over; `None` if it is malformed.
    pub fn resumed(state: &HandoverState, most_bytes: usize) -> Option<Self> {
        let send_buffer =
            SendBuffer::new(most_bytes).resumed(state.first_sequence, state.unacknowledged_records()?);
        Some(Self {
            send_buffer: Mutex::new(send_buffer),
            freed: Notify::new(),
            received: Mutex::new(ReceiveCounter::resumed(state.received)),
        })
    }

    /// The counter of messages received from the client.
    pub fn received(&self) -> MutexGuard<'_, ReceiveCounter> {
        lock(&self.received)
    }

    /// Notes that the client has received all messages up to the number `last`.
    pub fn acknowledged(&self, last: u64) {
        self.send_buffer().acknowledged(last);
        self.freed.notify_waiters();
    }

    /// Keeps records that are about to be sent, until the client acknowledges them.
    pub fn sent(&self, records: &[Record]) {
        let mut send_buffer = self.send_buffer();
        for record in records {
            send_buffer.sent(record);
        }
    }

    /// The records that a new WebSocket sends first, with the sequence number of the first one.
    pub fn unacknowledged(&self) -> (u64, Vec<Record>) {
        self.send_buffer().unacknowledged()
    }

    /// Waits until the buffer has room for another message.
    pub async fn has_room(&self) {
        loop {
            let notified = self.freed.notified();
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
