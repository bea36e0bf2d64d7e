//! The first record of each side: the client names its protocol, the hub agrees or says why not.

use serde::{Deserialize, Serialize};

/// What the hub answers when it agrees, with its separator.
pub const ACCEPTED: &str = "{}\x1e";

/// The only version of the JSON protocol that the hub speaks; 2 would add stateful reconnect.
const VERSION: u64 = 1;

#[derive(Deserialize)]
struct Request {
    protocol: String,
    version: u64,
}

/// Why a handshake failed, in words for the developer of the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum HandshakeError {
    /// The first record is no handshake.
    #[error("The handshake is malformed; send {{\"protocol\":\"json\",\"version\":1}} and 0x1e first.")]
    Malformed,
    /// The client wants another encoding, such as `messagepack`.
    #[error("The protocol '{0}' is not supported; this hub speaks 'json'.")]
    Protocol(String),
    /// The client wants a version of the protocol that does not exist here.
    #[error("Version {0} of the protocol 'json' is not supported; this hub speaks version {VERSION}.")]
    Version(u64),
    /// No whole record came in time.
    #[error("The handshake did not come in time.")]
    Timeout,
    /// The hub is about to end.
    #[error("The hub is shutting down; connect again.")]
    ShuttingDown,
}

/// Reads the client's first record.
///
/// # Errors
/// A [`HandshakeError`] for the client, see [`refused`].
pub fn read(record: &[u8]) -> Result<(), HandshakeError> {
    let request: Request = serde_json::from_slice(record).map_err(|_| HandshakeError::Malformed)?;
    if request.protocol != "json" {
        // The name comes from the client and goes back to it: as much as a name needs, and no more.
        return Err(HandshakeError::Protocol(request.protocol.chars().take(32).collect()));
    }
    if request.version != VERSION {
        return Err(HandshakeError::Version(request.version));
    }
    Ok(())
}

/// The answer to a handshake that failed, with its separator.
pub fn refused(error: &HandshakeError) -> String {
    #[derive(Serialize)]
    struct Response {
        error: String,
    }
    super::json::record(&Response { error: error.to_string() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_json_protocol_is_accepted() {
        assert_eq!(read(br#"{"protocol":"json","version":1}"#), Ok(()));
    }

    #[test]
    fn other_protocols_and_versions_are_named_in_the_refusal() {
        let messagepack = read(br#"{"protocol":"messagepack","version":1}"#);
        let stateful = read(br#"{"protocol":"json","version":2}"#);

        assert_eq!(messagepack, Err(HandshakeError::Protocol("messagepack".into())));
        assert_eq!(stateful, Err(HandshakeError::Version(2)));
        assert_eq!(
            refused(&HandshakeError::Protocol("messagepack".into())),
            "{\"error\":\"The protocol 'messagepack' is not supported; this hub speaks 'json'.\"}\x1e"
        );
    }

    #[test]
    fn anything_else_is_malformed() {
        for record in ["", "{}", "GET / HTTP/1.1", "[]", r#"{"protocol":1,"version":1}"#, "{\"type\":6}"] {
            assert_eq!(read(record.as_bytes()), Err(HandshakeError::Malformed), "{record}");
        }
    }
}
