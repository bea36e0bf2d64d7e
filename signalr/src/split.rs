//! Splits a whole WebSocket message into its records, without copying.

use crate::encoding::Encoding;
use crate::error::ProtocolError;
use crate::json::RECORD_SEPARATOR;
use crate::messagepack;

/// The first record of a message, without its separator or length, and the rest of the message.
///
/// # Errors
/// [`ProtocolError::Malformed`] if the record does not end within the message.
pub fn first(encoding: Encoding, message: &[u8]) -> Result<(&[u8], &[u8]), ProtocolError> {
    let parts = match encoding {
        Encoding::Json => {
            memchr::memchr(RECORD_SEPARATOR, message).map(|end| (&message[..end], &message[end + 1..]))
        }
        Encoding::MessagePack => messagepack::length(message)?
            .and_then(|(prefix, length)| message[prefix..].split_at_checked(length)),
    };
    parts.ok_or_else(|| ProtocolError::Malformed("its last record has no end".into()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(encoding: Encoding, mut message: &[u8]) -> Result<Vec<&[u8]>, ProtocolError> {
        let mut records = Vec::new();
        while !message.is_empty() {
            let (record, rest) = first(encoding, message)?;
            records.push(record);
            message = rest;
        }
        Ok(records)
    }

    #[test]
    fn records_are_split_and_half_a_record_is_an_error() {
        let no_end = Err(ProtocolError::Malformed("its last record has no end".into()));

        assert_eq!(all(Encoding::Json, b"{}\x1ebc\x1e"), Ok(vec![&b"{}"[..], b"bc"]));
        assert_eq!(all(Encoding::Json, b"{}\x1ebc"), no_end);
        assert_eq!(all(Encoding::MessagePack, &[2, 0x91, 6, 0]), Ok(vec![&[0x91, 6][..], &[]]));
        assert_eq!(all(Encoding::MessagePack, &[2, 0x91, 6, 2, 0x91]), no_end);
        assert_eq!(all(Encoding::MessagePack, &[2, 0x91, 6, 0x80]), no_end);
    }
}
