//! The handshake, as a client begins it.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::json;
use crate::record::Record;

/// The version of the protocols without stateful reconnect.
const VERSION: u8 = 1;

/// The reason why a handshake failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResponseError {
    /// The hub refuses the handshake, for this reason.
    #[error("the hub refuses the handshake: {0}")]
    Refused(String),
    /// The hub's first record is no answer to a handshake.
    #[error("the hub does not answer the handshake; is this a SignalR hub?")]
    Malformed,
}

/// The client's first record, with its separator: JSON, whatever encoding it asks for.
pub fn request(encoding: Encoding) -> Record {
    #[derive(Serialize)]
    struct Request {
        protocol: &'static str,
        version: u8,
    }
    let protocol = match encoding {
        Encoding::Json => "json",
        Encoding::MessagePack => "messagepack",
    };
    Record::unsequenced(json::text(&Request { protocol, version: VERSION }))
}

/// Reads the hub's first record.
///
/// # Errors
/// A [`ResponseError`]: the hub closes the connection, or is no hub.
pub fn response(record: &[u8]) -> Result<(), ResponseError> {
    #[derive(Deserialize)]
    struct Response<'a> {
        #[serde(borrow)]
        error: Option<Cow<'a, str>>,
        /// Every later record has a type; the answer to a handshake has none.
        #[serde(rename = "type")]
        kind: Option<u64>,
    }
    let response: Response = serde_json::from_slice(record).map_err(|_| ResponseError::Malformed)?;
    match (response.error, response.kind) {
        (_, Some(_)) => Err(ResponseError::Malformed),
        (Some(error), None) => Err(ResponseError::Refused(error.into_owned())),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handshake::{ACCEPTED, HandshakeError, read, refused};
    use crate::json::RECORD_SEPARATOR;

    /// A record without its separator.
    fn body(record: &[u8]) -> &[u8] {
        record.strip_suffix(&[RECORD_SEPARATOR]).expect("the handshake is JSON")
    }

    #[test]
    fn a_hub_reads_the_request() {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            assert_eq!(read(body(&request(encoding))), Ok(encoding));
        }
    }

    #[test]
    fn a_client_reads_the_hubs_answer() {
        assert_eq!(response(body(ACCEPTED)), Ok(()));
        assert_eq!(
            response(body(&refused(&HandshakeError::Timeout))),
            Err(ResponseError::Refused("The handshake did not come in time.".into()))
        );
        for other in ["", "<html>", "[]", "{\"type\":6}"] {
            assert_eq!(response(other.as_bytes()), Err(ResponseError::Malformed), "{other}");
        }
    }
}
