//! Stateful reconnect (`HubProtocol.md`, "Ack" and "Sequence"): messages are counted on both sides, and kept until the other
//! side has confirmed them, so that a new WebSocket goes on where the last one broke off.

use std::collections::VecDeque;

use crate::record::Record;

/// The messages that were sent and are not acknowledged yet.
#[derive(Debug)]
pub struct SendBuffer {
    records: VecDeque<Record>,
    bytes: usize,
    /// The number of the first one in `records`.
    first: u64,
    most_bytes: usize,
}

impl SendBuffer {
    /// Nothing was sent. More than about `most_bytes` are not kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { records: VecDeque::new(), bytes: 0, first: 1, most_bytes }
    }

    /// What another hub sent.
    #[must_use]
    pub fn resumed(self, first: u64, records: Vec<Record>) -> Self {
        let bytes = records.iter().map(|record| record.len()).sum();
        Self { records: records.into(), bytes, first, ..self }
    }

    /// Whether something more may be sent before something is confirmed.
    pub fn has_room(&self) -> bool {
        self.bytes < self.most_bytes
    }

    /// Keeps a record that is sent now, if it counts.
    pub fn sent(&mut self, record: &Record) {
        if record.is_sequenced() {
            self.bytes += record.len();
            self.records.push_back(record.clone());
        }
    }

    /// The client has everything up to the message `last`.
    pub fn acknowledged(&mut self, last: u64) {
        while self.first <= last {
            let Some(record) = self.records.pop_front() else { return };
            self.bytes -= record.len();
            self.first += 1;
        }
    }

    /// What a new WebSocket begins with: the number of the first message, and the messages.
    pub fn unacknowledged(&self) -> (u64, Vec<Record>) {
        (self.first, self.records.iter().cloned().collect())
    }
}

/// Counts the messages received.
#[derive(Debug, Default)]
pub struct ReceiveCounter {
    /// The number of the last one.
    last: u64,
    /// Of those that come again, the number of the last one.
    position: u64,
    /// After a reconnect, nothing counts until the client says where it begins.
    waiting: bool,
    acknowledged: u64,
}

/// The client begins after the last message that arrived: messages are missing, and nobody has them any more.
#[derive(Debug, PartialEq, Eq)]
pub struct SequenceGap;

impl ReceiveCounter {
    /// So many came to another hub; whether it confirmed them, who knows.
    pub fn resumed(last: u64) -> Self {
        Self { last, position: last, ..Self::default() }
    }

    /// How many came.
    pub fn last(&self) -> u64 {
        self.last
    }

    /// The client is on a new WebSocket.
    pub fn reconnected(&mut self) {
        self.waiting = true;
    }

    /// The client says with which message it begins.
    ///
    /// # Errors
    /// [`SequenceGap`].
    pub fn begin_at(&mut self, first: u64) -> Result<(), SequenceGap> {
        if first == 0 || first > self.last + 1 {
            return Err(SequenceGap);
        }
        self.waiting = false;
        self.position = first - 1;
        Ok(())
    }

    /// Counts a message; whether it is a new one.
    pub fn is_new(&mut self) -> bool {
        if self.waiting {
            return false;
        }
        self.position += 1;
        let is_new = self.position > self.last;
        self.last = self.last.max(self.position);
        is_new
    }

    /// The last message, if it is still to be confirmed; from now on it is not.
    pub fn next_ack(&mut self) -> Option<u64> {
        let news = self.acknowledged < self.last;
        self.acknowledged = self.last;
        news.then_some(self.last)
    }

    /// Whether something is still to be confirmed.
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
    fn what_is_not_confirmed_is_sent_again_and_pings_are_not() {
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
    fn what_comes_twice_counts_once() {
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
