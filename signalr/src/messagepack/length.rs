//! The length prefix of a `MessagePack` record.

use bytes::Bytes;

use crate::error::ProtocolError;

/// The most bytes of a length prefix (`HubProtocol.md`: up to 2 GB in five groups of seven bits).
const MOST_LENGTH_BYTES: usize = 5;

/// Reads the length prefix of a record: the number of its own bytes, and the record's length. `None` if more
/// bytes have to arrive.
///
/// # Errors
/// [`ProtocolError::Malformed`] if the prefix has no end.
pub fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, ProtocolError> {
    let mut length = 0_u64;
    for (index, byte) in bytes.iter().take(MOST_LENGTH_BYTES).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((index + 1, usize::try_from(length).unwrap_or(usize::MAX))));
        }
    }
    if bytes.len() < MOST_LENGTH_BYTES {
        Ok(None)
    } else {
        Err(ProtocolError::Malformed("its length has no end".into()))
    }
}

/// Returns the bytes that `write` writes, with their length as a prefix.
pub(super) fn prefixed(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    // Room for the length, which is known only afterwards.
    let mut bytes = vec![0; MOST_LENGTH_BYTES];
    write(&mut bytes);
    let mut length = bytes.len() - MOST_LENGTH_BYTES;
    let mut prefix = [0; MOST_LENGTH_BYTES];
    let mut used = 0;
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        prefix[used] = if length == 0 { low } else { low | 0x80 };
        used += 1;
        if length == 0 {
            break;
        }
    }
    let start = MOST_LENGTH_BYTES - used;
    bytes[start..MOST_LENGTH_BYTES].copy_from_slice(&prefix[..used]);
    Bytes::from(bytes).slice(start..)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_of_all_sizes() {
        for size in [0_usize, 1, 127, 128, 16_383, 16_384, 300_000] {
            let record = prefixed(|bytes| bytes.resize(bytes.len() + size, 0));
            let (prefix, body) = length(&record).unwrap().unwrap();
            assert_eq!((prefix + body, body), (record.len(), size));
        }
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0x80, 0x80]), Ok(None));
        assert!(length(&[0x80; 5]).is_err());
    }
}
