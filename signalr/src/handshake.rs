//! The handshake, as a hub answers it: the client names its protocol, and the hub agrees or gives a reason
//! why not.

use serde::{Deserialize, Serialize};

use crate::encoding::Encoding;
use crate::json;
use crate::record::Record;

/// The hub's answer if it agrees, with its separator, whatever the encoding.
pub const ACCEPTED: &[u8] = b"{}\x1e";

/// The latest version of the protocols: 2 adds the messages of stateful reconnect. Older versions are
/// accepted too, as in ASP.NET Core: Python's signalrcore sends 0.
const LATEST: u64 = 2;

#[derive(Deserialize)]
struct Request {
    protocol: String,
    version: u64,
}

/// The reason why a handshake failed, in words for the developer of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first record is not a handshake.
    #[error("The handshake is malformed; send {{\"protocol\":\"json\",\"version\":1}} and 0x1e first.")]
    Malformed,
    /// The client wants another encoding.
    #[error("The protocol '{0}' is not supported; this hub speaks 'json' and 'messagepack'.")]
    Protocol(String),
    /// The client wants a version of the protocol that this hub does not support.
    #[error("Version {0} of the protocol is not supported; this hub speaks versions 1 and {LATEST}.")]
    Version(u64),
    /// The client wants a binary protocol over a text transport (`TransportProtocols.md`, "Server-Sent
    /// Events").
    #[error("The protocol 'messagepack' cannot go over Server-Sent Events, which carry text; use 'json'.")]
    TextOnly,
    /// No whole record arrived in time.
    #[error("The handshake did not come in time.")]
    Timeout,
    /// The hub is shutting down.
    #[error("The hub is shutting down; connect again.")]
    ShuttingDown,
}

/// Reads the client's first record.
///
/// # Errors
/// A [`HandshakeError`] for the client, see [`refused`].
pub fn read(record: &[u8]) -> Result<Encoding, HandshakeError> {
    let request: Request = serde_json::from_slice(record).map_err(|_| HandshakeError::Malformed)?;
    let encoding = match request.protocol.as_str() {
        "json" => Encoding::Json,
        "messagepack" => Encoding::MessagePack,
        // The name comes from the client and goes back to it, so its length is limited.
        other => return Err(HandshakeError::Protocol(other.chars().take(32).collect())),
    };
    if request.version > LATEST {
        return Err(HandshakeError::Version(request.version));
    }
    Ok(encoding)
}

/// The answer to a handshake that failed, with its separator.
pub fn refused(error: &HandshakeError) -> Record {
    #[derive(Serialize)]
    struct Response {
        error: String,
    }
    Record::unsequenced(json::text(&Response { error: error.to_string() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_protocols_are_accepted() {
        assert_eq!(read(br#"{"protocol":"json","version":1}"#), Ok(Encoding::Json));
        assert_eq!(read(br#"{"protocol":"messagepack","version":2}"#), Ok(Encoding::MessagePack));
        assert_eq!(read(br#"{"protocol":"json","version":0}"#), Ok(Encoding::Json));
    }

    #[test]
    fn other_protocols_and_versions_are_named_in_the_refusal() {
        let protobuf = read(br#"{"protocol":"protobuf","version":1}"#);
        let later = read(br#"{"protocol":"json","version":3}"#);

        assert_eq!(protobuf, Err(HandshakeError::Protocol("protobuf".into())));
        assert_eq!(later, Err(HandshakeError::Version(3)));
        assert_eq!(
            refused(&HandshakeError::Version(3))[..],
            b"{\"error\":\"Version 3 of the protocol is not supported; this hub speaks versions 1 and 2.\"}\x1e"[..]
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        for record in ["", "{}", "GET / HTTP/1.1", "[]", r#"{"protocol":1,"version":1}"#, "{\"type\":6}"] {
            assert_eq!(read(record.as_bytes()), Err(HandshakeError::Malformed), "{record}");
        }
    }
}
