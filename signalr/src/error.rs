//! Input that does not follow the protocol.

/// What a client sent is not of the protocol; the connection ends with this as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A record grew beyond what the hub takes.
    #[error("A message is larger than {most_bytes} bytes; send less in one message.")]
    TooLarge {
        /// What the hub takes.
        most_bytes: usize,
    },
    /// The record is no JSON object, or a field has the wrong type.
    #[error("A message is malformed: {0}.")]
    Malformed(String),
    /// A field that this type of message needs is not there.
    #[error("A message is malformed: `{0}` is missing.")]
    Missing(&'static str),
}
