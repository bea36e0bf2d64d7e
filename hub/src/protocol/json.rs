//! Messages after the handshake, in their JSON form.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::ProtocolError;

/// Keeps a connection alive; carries nothing.
pub const PING: &str = "{\"type\":6}\x1e";

/// A message from a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ClientMessage<'a> {
    /// Calls a method of the hub.
    Invocation {
        /// Present when the client wants to know how it ended.
        invocation_id: Option<Cow<'a, str>>,
        /// The method.
        target: Cow<'a, str>,
        /// Each argument as JSON text: a bad one is the method's concern, and ends no connection.
        arguments: Vec<&'a str>,
    },
    /// Calls a method that would answer with a stream.
    StreamInvocation {
        /// What the answer refers to.
        invocation_id: Cow<'a, str>,
        /// The method.
        target: Cow<'a, str>,
    },
    /// The client is alive.
    Ping,
    /// The client is about to go.
    Close,
    /// Of a type without a meaning here, or of a later version of the protocol, which has to be ignored.
    Ignored,
}

#[derive(Deserialize)]
struct Incoming<'a> {
    #[serde(rename = "type")]
    kind: Option<u64>,
    #[serde(borrow, rename = "invocationId")]
    invocation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<Vec<&'a RawValue>>,
}

/// Reads one record of a client.
///
/// # Errors
/// [`ProtocolError`]: the connection cannot go on, for what follows would be guesswork.
pub fn read(record: &[u8]) -> Result<ClientMessage<'_>, ProtocolError> {
    let incoming: Incoming = serde_json::from_slice(record).map_err(|error| malformed(&error))?;
    if incoming.invocation_id.as_deref() == Some("") {
        return Err(ProtocolError::Missing("invocationId"));
    }
    let target = incoming.target.ok_or(ProtocolError::Missing("target"));
    match incoming.kind.ok_or(ProtocolError::Missing("type"))? {
        1 => Ok(ClientMessage::Invocation {
            invocation_id: incoming.invocation_id,
            target: target?,
            arguments: incoming
                .arguments
                .ok_or(ProtocolError::Missing("arguments"))?
                .into_iter()
                .map(RawValue::get)
                .collect(),
        }),
        4 => Ok(ClientMessage::StreamInvocation {
            invocation_id: incoming.invocation_id.ok_or(ProtocolError::Missing("invocationId"))?,
            target: target?,
        }),
        6 => Ok(ClientMessage::Ping),
        7 => Ok(ClientMessage::Close),
        _ => Ok(ClientMessage::Ignored),
    }
}

/// Says where and why, but never repeats what the client sent.
fn malformed(error: &serde_json::Error) -> ProtocolError {
    let why = match error.classify() {
        serde_json::error::Category::Data => "a field has a value of the wrong type",
        _ => "it is not JSON",
    };
    ProtocolError::Malformed(format!("{why} (column {})", error.column()))
}

/// A call of a client's method, without an answer.
pub fn invocation<A: Serialize>(target: &str, argument: &A) -> String {
    #[derive(Serialize)]
    struct Invocation<'a, A> {
        #[serde(rename = "type")]
        kind: u8,
        target: &'a str,
        arguments: [&'a A; 1],
    }
    record(&Invocation { kind: 1, target, arguments: [argument] })
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Completion<'a, R> {
    #[serde(rename = "type")]
    kind: u8,
    invocation_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    result: Option<R>,
    #[serde(skip_serializing_if = "Option::is_none")]
    error: Option<&'a str>,
}

/// The method ended well; `result` is what it gives back, `()` gives `null`.
pub fn completion<R: Serialize>(invocation_id: &str, result: R) -> String {
    record(&Completion { kind: 3, invocation_id, result: Some(result), error: None })
}

/// The method failed, and `error` says why.
pub fn completion_error(invocation_id: &str, error: &str) -> String {
    record(&Completion::<()> { kind: 3, invocation_id, result: None, error: Some(error) })
}

/// The hub is about to close the connection. With `allow_reconnect` the client may come back at once.
pub fn close(error: Option<&str>, allow_reconnect: bool) -> String {
    #[derive(Serialize)]
    #[serde(rename_all = "camelCase")]
    struct Close<'a> {
        #[serde(rename = "type")]
        kind: u8,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<&'a str>,
        #[serde(skip_serializing_if = "std::ops::Not::not")]
        allow_reconnect: bool,
    }
    record(&Close { kind: 7, error, allow_reconnect })
}

/// `value` as JSON with its separator.
pub(super) fn record<T: Serialize>(value: &T) -> String {
    let mut text = serde_json::to_string(value).expect("our own types always have a JSON form");
    text.push(char::from(super::RECORD_SEPARATOR));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_invocation_that_wants_an_answer() {
        let message = read(br#"{"type":1,"invocationId":"0","target":"Send","arguments":["lobby","hi"]}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation {
                invocation_id: Some("0".into()),
                target: "Send".into(),
                arguments: vec![r#""lobby""#, r#""hi""#],
            })
        );
    }

    #[test]
    fn an_invocation_that_wants_none_with_its_fields_in_another_order() {
        let message = read(br#"{"arguments":[],"streamIds":[],"headers":{},"target":"Ping","type":1}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation { invocation_id: None, target: "Ping".into(), arguments: vec![] })
        );
    }

    #[test]
    fn an_argument_with_half_a_surrogate_pair_leaves_the_rest_readable() {
        let message = read(br#"{"type":1,"target":"Send","arguments":["lobby","\ud800"]}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation {
                invocation_id: None,
                target: "Send".into(),
                arguments: vec![r#""lobby""#, r#""\ud800""#],
            })
        );
    }

    #[test]
    fn the_other_types_of_message() {
        let stream = read(br#"{"type":4,"invocationId":"7","target":"Watch","arguments":[]}"#);

        assert_eq!(
            stream,
            Ok(ClientMessage::StreamInvocation { invocation_id: "7".into(), target: "Watch".into() })
        );
        assert_eq!(read(br#"{"type":6}"#), Ok(ClientMessage::Ping));
        assert_eq!(read(br#"{"type":7,"error":"bye"}"#), Ok(ClientMessage::Close));
        assert_eq!(read(br#"{"type":5,"invocationId":"7"}"#), Ok(ClientMessage::Ignored));
        assert_eq!(read(br#"{"type":99,"new":true}"#), Ok(ClientMessage::Ignored));
    }

    #[test]
    fn what_is_no_message_says_why_without_repeating_it() {
        let malformed = |why: &str| Err(ProtocolError::Malformed(why.into()));

        assert_eq!(read(b"secret"), malformed("it is not JSON (column 1)"));
        assert_eq!(read(b""), malformed("it is not JSON (column 0)"));
        assert_eq!(read(br#"{"type":"1"}"#), malformed("a field has a value of the wrong type (column 11)"));
        assert_eq!(read(b"\"\xff\""), malformed("it is not JSON (column 2)"));
        assert_eq!(read(b"{}"), Err(ProtocolError::Missing("type")));
        assert_eq!(read(br#"{"type":1,"arguments":[]}"#), Err(ProtocolError::Missing("target")));
        assert_eq!(read(br#"{"type":1,"target":"Send"}"#), Err(ProtocolError::Missing("arguments")));
        assert_eq!(read(br#"{"type":4,"target":"Watch"}"#), Err(ProtocolError::Missing("invocationId")));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!(r#"{{"type":1,"target":"Send","arguments":[{}"#, "[".repeat(30_000));

        assert!(matches!(read(deep.as_bytes()), Err(ProtocolError::Malformed(_))));
    }

    #[test]
    fn what_the_hub_says() {
        assert_eq!(
            invocation("message", &"a\u{1e}\"ü"),
            "{\"type\":1,\"target\":\"message\",\"arguments\":[\"a\\u001e\\\"ü\"]}\x1e"
        );
        assert_eq!(completion("1", 7), "{\"type\":3,\"invocationId\":\"1\",\"result\":7}\x1e");
        assert_eq!(completion("1", ()), "{\"type\":3,\"invocationId\":\"1\",\"result\":null}\x1e");
        assert_eq!(completion_error("1", "no"), "{\"type\":3,\"invocationId\":\"1\",\"error\":\"no\"}\x1e");
        assert_eq!(close(None, true), "{\"type\":7,\"allowReconnect\":true}\x1e");
        assert_eq!(close(Some("no"), false), "{\"type\":7,\"error\":\"no\"}\x1e");
    }
}
