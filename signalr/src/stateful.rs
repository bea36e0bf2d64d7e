//! Stateful reconnect (`HubProtocol.md`, "Ack" and "Sequence"): messages are counted on both sides, and kept until the other
//! side has confirmed them, so that a new WebSocket goes on where the last one broke off.

use std::collections::VecDeque;

use crate::record::Record;

/// What was sent and is not confirmed.
#[derive(Debug)]
pub struct Unconfirmed {
    records: VecDeque<Record>,
    bytes: usize,
    /// The number of the first one in `records`.
    first: u64,
    most_bytes: usize,
}

impl Unconfirmed {
    /// Nothing was sent. More than about `most_bytes` are not kept.
    pub fn new(most_bytes: usize) -> Self {
        Self { records: VecDeque::new(), bytes: 0, first: 1, most_bytes }
    }

    /// What another hub sent.
    #[must_use]
    pub fn going_on(self, first: u64, records: Vec<Record>) -> Self {
        let bytes = records.iter().map(|record| record.len()).sum();
        Self { records: records.into(), bytes, first, ..self }
    }

    /// Whether something more may be sent before something is confirmed.
    pub fn has_room(&self) -> bool {
        self.bytes < self.most_bytes
    }

    /// Keeps a record that is sent now, if it counts.
    pub fn sent(&mut self, record: &Record) {
        if record.is_counted() {
            self.bytes += record.len();
            self.records.push_back(record.clone());
        }
    }

    /// The client has everything up to the message `last`.
    pub fn confirmed(&mut self, last: u64) {
        while self.first <= last {
            let Some(record) = self.records.pop_front() else { return };
            self.bytes -= record.len();
            self.first += 1;
        }
    }

    /// What a new WebSocket begins with: the number of the first message, and the messages.
    pub fn again(&self) -> (u64, Vec<Record>) {
        (self.first, self.records.iter().cloned().collect())
    }
}

/// What was received.
#[derive(Debug, Default)]
pub struct Received {
    /// The number of the last one.
    last: u64,
    /// Of those that come again, the number of the last one.
    position: u64,
    /// After a reconnect, nothing counts until the client says where it begins.
    waiting: bool,
    confirmed: u64,
}

/// The client begins after what arrived: something is missing, and nobody has it any more.
#[derive(Debug, PartialEq, Eq)]
pub struct Missing;

impl Received {
    /// So many came to another hub; whether it confirmed them, who knows.
    pub fn going_on(last: u64) -> Self {
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
    /// [`Missing`].
    pub fn begins(&mut self, first: u64) -> Result<(), Missing> {
        if first == 0 || first > self.last + 1 {
            return Err(Missing);
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
    pub fn confirm(&mut self) -> Option<u64> {
        let news = self.confirmed < self.last;
        self.confirmed = self.last;
        news.then_some(self.last)
    }

    /// Whether something is still to be confirmed.
    pub fn is_unconfirmed(&self) -> bool {
        self.confirmed < self.last
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
        let mut sent = Unconfirmed::new(100);
        for record in [message("a"), Encoding::Json.ping(), message("b"), message("c")] {
            sent.sent(&record);
        }
        assert!(!sent.has_room());

        sent.confirmed(1);
        assert_eq!(sent.again(), (2, vec![message("b"), message("c")]));
        sent.confirmed(99);
        assert_eq!(sent.again(), (4, vec![]));
        assert!(sent.has_room());
    }

    #[test]
    fn what_comes_twice_counts_once() {
        let mut received = Received::default();
        assert!(received.is_new() && received.is_new());
        assert_eq!((received.confirm(), received.confirm()), (Some(2), None));

        received.reconnected();
        assert!(!received.is_new());
        assert_eq!(received.begins(2), Ok(()));
        assert!(!received.is_new());
        assert!(received.is_new());
        assert_eq!(received.confirm(), Some(3));

        received.reconnected();
        assert_eq!(received.begins(5), Err(Missing));
        assert_eq!(received.begins(0), Err(Missing));
        assert_eq!(received.begins(4), Ok(()));
        assert!(received.is_new());
    }
}
