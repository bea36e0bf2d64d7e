//! The messages of a hub that a client may wait for.

use serde_json::Value;
use signalr::client::message::{HubMessage, read};
use signalr::encoding::Encoding;
use tokio::time::Instant;

use crate::error::Error;

/// A call of a method of the client by the hub.
#[derive(Clone, Debug, PartialEq)]
pub struct Call {
    /// The method.
    pub target: String,
    /// The arguments. One that this client cannot read, such as half a surrogate pair, is `null`.
    pub arguments: Vec<Value>,
    /// The time at which the call arrived, however late it is looked at.
    pub at: Instant,
}

/// A message from the hub that somebody may wait for.
#[derive(Debug)]
pub(crate) enum Event {
    /// An invocation by the hub, with an id if the hub waits for a result
    Invocation { id: Option<String>, call: Call },
    /// The end of an invocation: its id, and its result or error
    Completion(String, Result<Option<Value>, String>),
}

/// Reads a record; `None` if nobody waits for such a message.
///
/// # Errors
/// The reason why the connection ends.
pub(crate) fn event(encoding: Encoding, record: &[u8], at: Instant) -> Result<Option<Event>, Error> {
    Ok(match read(encoding, record)? {
        HubMessage::Invocation(call) => {
            let arguments = call.arguments.iter().map(|argument| value(argument)).collect();
            let id = call.id.map(std::borrow::Cow::into_owned);
            Some(Event::Invocation { id, call: Call { target: call.target.into_owned(), arguments, at } })
        }
        HubMessage::Completion { id, outcome } => {
            let outcome = match outcome {
                Ok(result) => Ok(result.map(|result| value(&result))),
                Err(error) => Err(error.into_owned()),
            };
            Some(Event::Completion(id.into_owned(), outcome))
        }
        HubMessage::Close(close) => return Err(Error::Closed { code: None, reason: close.error }),
        HubMessage::StreamItem { .. }
        | HubMessage::Ping
        | HubMessage::Ack(_)
        | HubMessage::Sequence(_)
        | HubMessage::Ignored => None,
    })
}

fn value(json: &str) -> Value {
    serde_json::from_str(json).unwrap_or(Value::Null)
}
