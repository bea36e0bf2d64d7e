//! Splits a stream of bytes into records.
//!
//! Bytes that arrive together may hold several records, and a record may arrive in parts.

use bytes::Bytes;

use crate::encoding::Encoding;
use crate::error::ProtocolError;
use crate::json::RECORD_SEPARATOR;
use crate::messagepack;

/// Collects bytes and gives back whole records, without their separators or lengths.
#[derive(Debug)]
pub struct Framer {
    /// The start of a record whose end has not arrived.
    started: Vec<u8>,
    /// Bytes that arrived and have not been examined yet.
    unread: Bytes,
    /// The encoding of the next records. The handshake is JSON in either case.
    encoding: Encoding,
    most_bytes: usize,
}

impl Framer {
    /// A reader of records of at most `most_bytes` bytes each. It expects a JSON handshake first.
    pub fn new(most_bytes: usize) -> Self {
        Self { started: Vec::new(), unread: Bytes::new(), encoding: Encoding::Json, most_bytes }
    }

    /// Sets the encoding of all records after the handshake.
    pub fn set_encoding(&mut self, encoding: Encoding) {
        self.encoding = encoding;
    }

    /// Adds bytes that arrived. Call [`Framer::next_record`] until it returns `None` before adding more.
    pub fn feed(&mut self, arrived: Bytes) {
        debug_assert!(self.unread.is_empty(), "records must be taken before more is fed");
        self.unread = arrived;
    }

    /// Drops a record that has begun, because its rest will not arrive: the client continues on a new
    /// connection.
    pub fn reset(&mut self) {
        self.started = Vec::new();
        self.unread = Bytes::new();
    }

    /// Returns the next whole record, or `None` if more bytes have to arrive first.
    ///
    /// # Errors
    /// [`ProtocolError::TooLarge`] as soon as a record is known to be too large, before it is complete;
    /// [`ProtocolError::Malformed`] for a length prefix without an end.
    pub fn next_record(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        match self.encoding {
            Encoding::Json => self.next_text(),
            Encoding::MessagePack => self.next_binary(),
        }
    }

    fn next_text(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        let end = memchr::memchr(RECORD_SEPARATOR, &self.unread);
        let length = self.started.len() + end.unwrap_or(self.unread.len());
        if length > self.most_bytes {
            return Err(ProtocolError::TooLarge { most_bytes: self.most_bytes });
        }
        let Some(end) = end else {
            self.keep_unread();
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

    fn next_binary(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        if !self.started.is_empty() {
            return self.complete_binary();
        }
        match self.length(&self.unread)? {
            Some((prefix, length)) if self.unread.len() >= prefix + length => {
                let _prefix = self.unread.split_to(prefix);
                Ok(Some(self.unread.split_to(length)))
            }
            _ => {
                self.keep_unread();
                Ok(None)
            }
        }
    }

    /// Completes a record of which a part arrived earlier. This is rare: all known clients send whole records
    /// at once. Only the missing bytes are copied, so that a record in many small parts costs no more than a
    /// whole one.
    fn complete_binary(&mut self) -> Result<Option<Bytes>, ProtocolError> {
        loop {
            let length = self.length(&self.started)?;
            // While the length prefix is incomplete, one more byte of it is taken.
            let whole = length.map_or(self.started.len() + 1, |(prefix, length)| prefix + length);
            let missing = (whole - self.started.len()).min(self.unread.len());
            self.started.extend_from_slice(&self.unread.split_to(missing));
            if self.started.len() < whole {
                return Ok(None);
            }
            if let Some((prefix, _)) = length {
                return Ok(Some(Bytes::from(std::mem::take(&mut self.started)).slice(prefix..)));
            }
        }
    }

    /// Reads a record's length prefix: the number of its own bytes, and the record's length. `None` if the
    /// prefix is incomplete; an error if the record is too large.
    fn length(&self, bytes: &[u8]) -> Result<Option<(usize, usize)>, ProtocolError> {
        match messagepack::length(bytes)? {
            Some((_, length)) if length > self.most_bytes => {
                Err(ProtocolError::TooLarge { most_bytes: self.most_bytes })
            }
            length => Ok(length),
        }
    }

    fn keep_unread(&mut self) {
        self.started.extend_from_slice(&self.unread);
        self.unread = Bytes::new();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MOST: usize = 300;

    #[test]
    fn binary_records_are_told_apart_by_their_lengths_and_may_arrive_in_parts() {
        let mut framer = Framer::new(MOST);
        framer.set_encoding(Encoding::MessagePack);
        let long = [&[0xac, 0x02][..], &[7; 300]].concat();
        let all = [&[2, 0x91, 6][..], &long, &[0], &[1, 9]].concat();

        for part in [1, 2, 3, 100, all.len()] {
            let mut records = Vec::new();
            for chunk in all.chunks(part) {
                framer.feed(Bytes::copy_from_slice(chunk));
                while let Some(record) = framer.next_record().unwrap() {
                    records.push(record.to_vec());
                }
            }
            assert_eq!(records, vec![vec![0x91, 6], vec![7; 300], vec![], vec![9]], "{part} bytes at a time");
        }

        framer.feed(Bytes::from_static(&[0xad, 0x02]));
        assert_eq!(framer.next_record(), Err(ProtocolError::TooLarge { most_bytes: MOST }));
    }

    fn records(chunks: &[&'static [u8]]) -> Result<Vec<Bytes>, ProtocolError> {
        let mut framer = Framer::new(MOST);
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
    fn what_was_broken_off_is_no_part_of_what_begins_anew() {
        let mut framer = Framer::new(MOST);
        framer.feed(Bytes::from_static(b"{\"ty"));
        assert_eq!(framer.next_record(), Ok(None));

        framer.reset();

        framer.feed(Bytes::from_static(b"{}\x1e"));
        assert_eq!(framer.next_record(), Ok(Some("{}".into())));
    }

    #[test]
    fn a_record_without_its_end_is_not_given() {
        assert_eq!(records(&[b"{}"]), Ok(vec![]));
    }

    #[test]
    fn the_largest_record_passes_and_one_byte_more_does_not() {
        let mut framer = Framer::new(MOST);

        framer.feed([vec![b'x'; MOST], vec![RECORD_SEPARATOR]].concat().into());
        assert_eq!(framer.next_record().map(|record| record.map(|r| r.len())), Ok(Some(MOST)));

        framer.feed([vec![b'x'; MOST + 1], vec![RECORD_SEPARATOR]].concat().into());
        assert_eq!(framer.next_record(), Err(ProtocolError::TooLarge { most_bytes: MOST }));
    }

    #[test]
    fn a_record_that_never_ends_is_refused_before_it_fills_the_memory() {
        let mut framer = Framer::new(MOST);

        framer.feed(vec![b'x'; MOST].into());
        assert_eq!(framer.next_record(), Ok(None));

        framer.feed(Bytes::from_static(b"x"));
        assert_eq!(framer.next_record(), Err(ProtocolError::TooLarge { most_bytes: MOST }));
    }
}
