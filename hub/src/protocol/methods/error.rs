//! Errors of the hub's methods.

use crate::protocol::names::{NameError, RoomName};

/// The reason why an invocation failed, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// The hub has no such method.
    #[error("Unknown hub method '{0}'.")]
    Unknown(String),
    /// The invocation has too few or too many arguments.
    #[error("'{method}' takes {takes}, but got {got} arguments.")]
    Count {
        /// The method.
        method: &'static str,
        /// The arguments that the method takes.
        takes: &'static str,
        /// The number of arguments in the invocation.
        got: usize,
    },
    /// An argument is not a string.
    #[error("The {0} must be a string.")]
    NotText(&'static str),
    /// The options cannot be read.
    #[error("The options of '{method}' are {takes}.")]
    Options {
        /// The method.
        method: &'static str,
        /// The options that the method takes.
        takes: &'static str,
    },
    /// Only the hub itself calls this target.
    #[error("Only the hub itself calls '{0}'; choose another name.")]
    Reserved(String),
    /// A name is not accepted.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The caller is not a member of the room.
    #[error("You are not in the room '{0}'; join it first.")]
    NotJoined(RoomName),
    /// The caller is in too many rooms.
    #[error("You are in {0} rooms already; leave one first.")]
    TooManyRooms(usize),
    /// The caller's token does not allow this room.
    #[error("You may not join the room '{0}'.")]
    MayNotJoin(RoomName),
    /// The caller invokes methods more often than it may.
    #[error("You call too often; at most {0} times a second.")]
    TooOften(u32),
    /// The method does not answer with a stream.
    #[error("'{0}' does not answer with a stream; invoke it instead.")]
    NoStream(String),
    /// The method answers with a stream, or takes one.
    #[error("'{0}' needs a stream; see how your client begins one.")]
    NeedsStream(&'static str),
    /// The client has too many streams.
    #[error("You have {0} streams already; end one first.")]
    TooManyStreams(usize),
    /// The caller's stream ended with an error; this many texts of it were stored.
    #[error("The stream ended with an error of yours; {0} texts were stored.")]
    Aborted(u32),
    /// No hub has this connection.
    #[error("There is no connection '{0}'.")]
    NoConnection(String),
    /// The caller has too many invocations of other clients pending.
    #[error("You wait for {0} answers already; wait for one of them first.")]
    TooManyPending(usize),
    /// The invoked client has too many unanswered invocations.
    #[error("The client owes too many answers already; try again later.")]
    Busy,
    /// The invoked client left.
    #[error("The client left before it answered.")]
    Left,
    /// The hub of the invoked client is gone.
    #[error("The hub that serves the client ended before the client answered.")]
    HubGone,
    /// The invoked client did not answer within this time, in seconds.
    #[error("The client did not answer within {0} s.")]
    NoAnswer(u64),
    /// The invoked client's method failed, with an error in the client's words.
    #[error("The client answered with an error: {0}")]
    ClientError(String),
    /// The caller's hub is shutting down.
    #[error("This hub shuts down; call again.")]
    ShuttingDown,
    /// The invoked client's result is not valid JSON.
    #[error("The client's answer cannot be passed on.")]
    InvalidResult,
    /// The backplane did not take the message.
    #[error("The message was not sent: {0}.")]
    NotSent(#[from] PublishError),
}

/// The reason why a message was not published, for its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// The backplane is not connected.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The connection broke before the backplane confirmed the message, which may or may not have been
    /// published.
    #[error("the backplane was lost before it confirmed")]
    Unconfirmed,
    /// The backplane has no memory left.
    #[error("the backplane is full")]
    Full,
    /// The backplane takes no writes, because it is a replica or cannot write to its disk.
    #[error("the backplane is read-only")]
    ReadOnly,
    /// The backplane answered with another error.
    #[error("the backplane refused it")]
    Refused,
}

/// The first characters of a word from a client, as many as an error needs to repeat.
pub fn short(word: &str) -> String {
    word.chars().take(64).collect()
}
