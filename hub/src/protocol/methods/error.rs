//! Why a call fails.

use crate::protocol::names::{NameError, RoomName};

/// Why a call cannot be carried out, in words for the client.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CallError {
    /// No such method.
    #[error("Unknown hub method '{0}'.")]
    Unknown(String),
    /// Too few or too many arguments.
    #[error("'{method}' takes {takes}, but got {got} arguments.")]
    Count {
        /// The method.
        method: &'static str,
        /// What it takes.
        takes: &'static str,
        /// How many there were.
        got: usize,
    },
    /// An argument that is no string.
    #[error("The {0} must be a string.")]
    NotText(&'static str),
    /// Options that are not understood.
    #[error("The options of '{method}' are {takes}.")]
    Options {
        /// The method.
        method: &'static str,
        /// What it takes.
        takes: &'static str,
    },
    /// A target that only the hub itself calls.
    #[error("Only the hub itself calls '{0}'; choose another name.")]
    Reserved(String),
    /// A name that is not accepted.
    #[error(transparent)]
    Name(#[from] NameError),
    /// The caller has to join the room first.
    #[error("You are not in the room '{0}'; join it first.")]
    NotJoined(RoomName),
    /// The caller is in too many rooms.
    #[error("You are in {0} rooms already; leave one first.")]
    TooManyRooms(usize),
    /// The caller's token is for other rooms.
    #[error("You may not join the room '{0}'.")]
    MayNotJoin(RoomName),
    /// The client calls more often than it may.
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
    /// The client's stream ended with an error.
    #[error("The stream ended with an error of yours; {0} texts were stored.")]
    Aborted(u32),
    /// Nobody has that connection.
    #[error("There is no connection '{0}'.")]
    NoConnection(String),
    /// The caller asks too much.
    #[error("You wait for {0} answers already; wait for one of them first.")]
    TooManyPending(usize),
    /// The client that was to be asked owes too many answers.
    #[error("The client owes too many answers already; try again later.")]
    Busy,
    /// The client that was asked is gone.
    #[error("The client left before it answered.")]
    Left,
    /// The hub of the client that was asked is gone.
    #[error("The hub that serves the client ended before the client answered.")]
    HubGone,
    /// The client that was asked is there, and says nothing.
    #[error("The client did not answer within {0} s.")]
    NoAnswer(u64),
    /// The client that was asked failed, in its own words.
    #[error("The client answered with an error: {0}")]
    ClientError(String),
    /// The hub that serves the caller ends.
    #[error("This hub shuts down; call again.")]
    ShuttingDown,
    /// The client that was asked gave something that has no JSON form.
    #[error("The client's answer cannot be passed on.")]
    InvalidResult,
    /// The backplane did not take the message.
    #[error("The message was not sent: {0}.")]
    NotSent(#[from] PublishError),
}

/// Why a message was not published, for its sender.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PublishError {
    /// There is no backplane now.
    #[error("the backplane is not connected")]
    NotConnected,
    /// The connection broke before the answer; it may or may not have been heard.
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

/// As much of a client's word as an error needs to repeat.
pub fn short(word: &str) -> String {
    word.chars().take(64).collect()
}
