//! Errors of input that does not follow the protocol.

/// An error in the records of the other side. It ends the connection, and is given as the reason.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ProtocolError {
    /// A record is longer than the limit.
    #[error("A message is larger than {most_bytes} bytes; send less in one message.")]
    TooLarge {
        /// The limit, in bytes.
        most_bytes: usize,
    },
    /// The record is no JSON object, or a field has the wrong type.
    #[error("A message is malformed: {0}.")]
    Malformed(String),
    /// A field that this type of message requires is missing.
    #[error("A message is malformed: `{0}` is missing.")]
    Missing(&'static str),
}
