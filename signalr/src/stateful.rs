//! Stateful reconnect (`HubProtocol.md`, "Ack" and "Sequence"): both sides number their messages, and keep
//! them until the other side has acknowledged them, so that a new WebSocket continues where the last one
//! broke off.

use std::collections::VecDeque;

use crate::record::Record;

/// The messages that were sent and have not been acknowledged.
#[derive(Debug)]
pub struct SendBuffer {
    records: VecDeque<Record>,
    bytes: usize,
    /// The sequence number of the first message in `records`.
    first: u64,
    most_bytes: usize,
}

impl SendBuffer {
    /// An empty buffer for about `most_bytes` bytes, see [`SendBuffer::has_room`].
    pub fn new(most_bytes: usize) -> Self {
        Self { records: VecDeque::new(), bytes: 0, first: 1, most_bytes }
    }

    /// This buffer with the unacknowledged messages of another hub; the first of them has the number `first`.
    #[must_use]
    pub fn resumed(self, first: u64, records: Vec<Record>) -> Self {
        let bytes = records.iter().map(|record| record.len()).sum();
        Self { records: records.into(), bytes, first, ..self }
    }

    /// True while another message may be sent before an acknowledgement.
    pub fn has_room(&self) -> bool {
        self.bytes < self.most_bytes
    }

    /// Adds a message that is sent now, if it has a sequence number.
    pub fn sent(&mut self, record: &Record) {
        if record.is_sequenced() {
            self.bytes += record.len();
            self.records.push_back(record.clone());
        }
    }

    /// Drops the messages up to number `last`, which the other side has received.
    pub fn acknowledged(&mut self, last: u64) {
        while self.first <= last {
            let Some(record) = self.records.pop_front() else { return };
            self.bytes -= record.len();
            self.first += 1;
        }
    }

    /// The messages that a new WebSocket sends first, and the number of the first of them.
    pub fn unacknowledged(&self) -> (u64, Vec<Record>) {
        (self.first, self.records.iter().cloned().collect())
    }
}

/// Counts the messages that have been received.
#[derive(Debug, Default)]
pub struct ReceiveCounter {
    /// The number of the latest message.
    last: u64,
    /// The number of the message that arrived last; less than `last` while messages are sent again.
    position: u64,
    /// True after a reconnect, until the other side announces the number of its first message. Messages are
    /// ignored until then.
    waiting: bool,
    acknowledged: u64,
}

/// An error: messages are missing between the last one that arrived and the first one that the other side
/// sends now, and no side has them any more.
#[derive(Debug, PartialEq, Eq)]
pub struct SequenceGap;

impl ReceiveCounter {
    /// The counter of a connection of which another hub has received the messages up to `last`. Whether that
    /// hub acknowledged them is unknown, so they are acknowledged again.
    pub fn resumed(last: u64) -> Self {
        Self { last, position: last, ..Self::default() }
    }

    /// The number of messages received.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// Notes that the other side reconnected on a new WebSocket.
    pub fn reconnected(&mut self) {
        self.waiting = true;
    }

    /// Notes the number of the first message that the other side sends after a reconnect.
    ///
    /// # Errors
    /// A [`SequenceGap`] if messages before it are missing.
    pub fn begin_at(&mut self, first: u64) -> Result<(), SequenceGap> {
        if first == 0 || first > self.last + 1 {
            return Err(SequenceGap);
        }
        self.waiting = false;
        self.position = first - 1;
        Ok(())
    }

    /// Counts a message. Returns true if it has not been received before.
    pub fn is_new(&mut self) -> bool {
        if self.waiting {
            return false;
        }
        self.position += 1;
        let is_new = self.position > self.last;
        self.last = self.last.max(self.position);
        is_new
    }

    /// The number of the latest message if it has to be acknowledged; the message then counts as
    /// acknowledged.
    pub fn next_ack(&mut self) -> Option<u64> {
        let has_new = self.acknowledged < self.last;
        self.acknowledged = self.last;
        has_new.then_some(self.last)
    }

    /// True if messages have to be acknowledged.
    pub fn needs_ack(&self) -> bool {
        self.acknowledged < self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::Encoding;

    fn message(text: &str) -> Record {
        Encoding::Json.invocation(None, text, &[(); 0])
    }

    #[test]
    fn unacknowledged_messages_are_sent_again_and_pings_are_not() {
        let mut sent = SendBuffer::new(100);
        for record in [message("a"), Encoding::Json.ping(), message("b"), message("c")] {
            sent.sent(&record);
        }
        assert!(!sent.has_room());

        sent.acknowledged(1);
        assert_eq!(sent.unacknowledged(), (2, vec![message("b"), message("c")]));
        sent.acknowledged(99);
        assert_eq!(sent.unacknowledged(), (4, vec![]));
        assert!(sent.has_room());
    }

    #[test]
    fn a_message_that_arrives_twice_counts_once() {
        let mut received = ReceiveCounter::default();
        assert!(received.is_new() && received.is_new());
        assert_eq!((received.next_ack(), received.next_ack()), (Some(2), None));

        received.reconnected();
        assert!(!received.is_new());
        assert_eq!(received.begin_at(2), Ok(()));
        assert!(!received.is_new());
        assert!(received.is_new());
        assert_eq!(received.next_ack(), Some(3));

        received.reconnected();
        assert_eq!(received.begin_at(5), Err(SequenceGap));
        assert_eq!(received.begin_at(0), Err(SequenceGap));
        assert_eq!(received.begin_at(4), Ok(()));
        assert!(received.is_new());
    }
}
