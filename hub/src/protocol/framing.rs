//! Cuts what arrives into records.
//!
//! A WebSocket message may hold several records, and a record may span several WebSocket messages.

use axum::body::Bytes;

use super::{MAX_RECORD_BYTES, ProtocolError, RECORD_SEPARATOR};

/// Collects bytes and gives back whole records, without their separators.
#[derive(Debug, Default)]
pub struct Framer {
    /// The start of a record whose end has not arrived.
    started: Vec<u8>,
    /// What arrived last and was not looked at yet.
    unread: Bytes,
}

impl Framer {
    /// Adds what arrived. Call [`Framer::next_record`] until it gives `None` before adding more.
    pub fn feed(&mut self, arrived: Bytes) {
        debug_assert!(self.unread.is_empty(), "records must be taken before more is fed");
        self.unread = arrived;
    }

    /// The next whole record, or `None` when more has to arrive.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] as soon as a record is known to be too large, before it is complete.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let end = self.unread.iter().position(|&byte| byte == RECORD_SEPARATOR);
        let length = self.started.len() + end.unwrap_or(self.unread.len());
        if length > MAX_RECORD_BYTES {
            return Err(ProtocolError::TooLarge);
        }
        let Some(end) = end else {
            self.started.extend_from_slice(&self.unread);
            self.unread.clear();
            return Ok(None);
        };
        let tail = self.unread.split_to(end);
        let _separator = self.unread.split_to(1);
        if self.started.is_empty() {
            return Ok(Some(tail));
        }
        let mut record = std::mem::take(&mut self.started);
        record.extend_from_slice(&tail);
        Ok(Some(record.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(chunks: &[&'static [u8]]) -> Result<Vec<Bytes>, ProtocolError> {
        let mut framer = Framer::default();
        let mut records = Vec::new();
        for chunk in chunks {
            framer.feed(Bytes::from_static(chunk));
            while let Some(record) = framer.next_record()? {
                records.push(record);
            }
        }
        Ok(records)
    }

    #[test]
    fn several_records_in_one_message_are_told_apart() {
        assert_eq!(records(&[b"a\x1ebc\x1e"]), Ok(vec!["a".into(), "bc".into()]));
    }

    #[test]
    fn a_record_may_span_messages_and_share_one_with_the_next() {
        assert_eq!(
            records(&[b"{\"ty", b"", b"pe\":6}\x1e{", b"}\x1e"]),
            Ok(vec!["{\"type\":6}".into(), "{}".into()])
        );
    }

    #[test]
    fn a_record_without_its_end_is_not_given() {
        assert_eq!(records(&[b"{}"]), Ok(vec![]));
    }

    #[test]
    fn the_largest_record_passes_and_one_byte_more_does_not() {
        let mut framer = Framer::default();

        framer.feed([vec![b'x'; MAX_RECORD_BYTES], vec![RECORD_SEPARATOR]].concat().into());
        assert_eq!(framer.next_record().map(|record| record.map(|r| r.len())), Ok(Some(MAX_RECORD_BYTES)));

        framer.feed([vec![b'x'; MAX_RECORD_BYTES + 1], vec![RECORD_SEPARATOR]].concat().into());
        assert_eq!(framer.next_record(), Err(ProtocolError::TooLarge));
    }

    #[test]
    fn a_record_that_never_ends_is_refused_before_it_fills_the_memory() {
        let mut framer = Framer::default();

        framer.feed(vec![b'x'; MAX_RECORD_BYTES].into());
        assert_eq!(framer.next_record(), Ok(None));

        framer.feed(Bytes::from_static(b"x"));
        assert_eq!(framer.next_record(), Err(ProtocolError::TooLarge));
    }
}
