//! Reads messages in their JSON form.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use crate::error::ProtocolError;
use crate::message::{ClientMessage, Invocation};

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Incoming<'a> {
    #[serde(rename = "type")]
    kind: Option<u64>,
    #[serde(borrow)]
    invocation_id: Option<Cow<'a, str>>,
    #[serde(borrow)]
    target: Option<Cow<'a, str>>,
    #[serde(borrow)]
    arguments: Option<Vec<&'a RawValue>>,
    #[serde(borrow)]
    stream_ids: Option<Vec<Cow<'a, str>>>,
    #[serde(borrow, default, deserialize_with = "present")]
    item: Option<&'a RawValue>,
    #[serde(borrow)]
    result: Option<&'a RawValue>,
    #[serde(borrow)]
    error: Option<Cow<'a, str>>,
    sequence_id: Option<u64>,
}

/// Reads one record, without its separator.
///
/// # Errors
/// A [`ProtocolError`]: the connection cannot continue, because the following bytes cannot be interpreted.
pub fn read(record: &[u8]) -> Result<ClientMessage<'_>, ProtocolError> {
    let incoming: Incoming = serde_json::from_slice(record).map_err(|error| malformed(&error))?;
    if incoming.invocation_id.as_deref() == Some("") {
        return Err(ProtocolError::Missing("invocationId"));
    }
    let kind = incoming.kind.ok_or(ProtocolError::Missing("type"))?;
    match kind {
        1 => incoming.invocation().map(ClientMessage::Invocation),
        2 => Ok(ClientMessage::StreamItem {
            // Java's client omits fields that are null.
            item: raw(incoming.item).unwrap_or("null".into()),
            id: incoming.id()?,
        }),
        3 => Ok(ClientMessage::Completion {
            outcome: match (&incoming.error, incoming.result) {
                (Some(error), _) => Err(error.clone()),
                (None, result) => Ok(raw(result)),
            },
            id: incoming.id()?,
        }),
        4 if incoming.invocation_id.is_none() => Err(ProtocolError::Missing("invocationId")),
        4 => incoming.invocation().map(ClientMessage::StreamInvocation),
        5 => Ok(ClientMessage::CancelInvocation { id: incoming.id()? }),
        6 => Ok(ClientMessage::Ping),
        7 => Ok(ClientMessage::Close),
        8 => incoming.sequence_id.map(ClientMessage::Ack).ok_or(ProtocolError::Missing("sequenceId")),
        9 => incoming.sequence_id.map(ClientMessage::Sequence).ok_or(ProtocolError::Missing("sequenceId")),
        _ => Ok(ClientMessage::Ignored),
    }
}

impl<'a> Incoming<'a> {
    fn id(self) -> Result<Cow<'a, str>, ProtocolError> {
        self.invocation_id.ok_or(ProtocolError::Missing("invocationId"))
    }

    fn invocation(self) -> Result<Invocation<'a>, ProtocolError> {
        Ok(Invocation {
            id: self.invocation_id,
            target: self.target.ok_or(ProtocolError::Missing("target"))?,
            arguments: self
                .arguments
                .ok_or(ProtocolError::Missing("arguments"))?
                .into_iter()
                .map(|argument| argument.get().into())
                .collect(),
            streams: self.stream_ids.unwrap_or_default(),
        })
    }
}

/// Deserialises a field that is present. It may be `null`, which is not the same as a missing field.
fn present<'de, D: Deserializer<'de>>(value: D) -> Result<Option<&'de RawValue>, D::Error> {
    Deserialize::deserialize(value).map(Some)
}

fn raw(value: Option<&RawValue>) -> Option<Cow<'_, str>> {
    value.map(|value| value.get().into())
}

/// The error with its column and cause. It never repeats the input, which may be private.
fn malformed(error: &serde_json::Error) -> ProtocolError {
    let why = match error.classify() {
        serde_json::error::Category::Data => "a field has a value of the wrong type",
        _ => "it is not JSON",
    };
    ProtocolError::Malformed(format!("{why} (column {})", error.column()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call<'a>(id: Option<&'a str>, target: &'a str, arguments: &[&'a str]) -> Invocation<'a> {
        Invocation {
            id: id.map(Into::into),
            target: target.into(),
            arguments: arguments.iter().map(|&argument| argument.into()).collect(),
            streams: vec![],
        }
    }

    #[test]
    fn an_invocation_that_wants_an_answer() {
        let message = read(br#"{"type":1,"invocationId":"0","target":"Send","arguments":["lobby","hi"]}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation(call(Some("0"), "Send", &[r#""lobby""#, r#""hi""#])))
        );
    }

    #[test]
    fn an_invocation_that_wants_none_with_its_fields_in_another_order() {
        let message = read(br#"{"arguments":[],"streamIds":["1"],"headers":{},"target":"Ping","type":1}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation(Invocation {
                streams: vec!["1".into()],
                ..call(None, "Ping", &[])
            }))
        );
    }

    #[test]
    fn an_argument_with_half_a_surrogate_pair_leaves_the_rest_readable() {
        let message = read(br#"{"type":1,"target":"Send","arguments":["lobby","\ud800"]}"#);

        assert_eq!(
            message,
            Ok(ClientMessage::Invocation(call(None, "Send", &[r#""lobby""#, r#""\ud800""#])))
        );
    }

    #[test]
    fn the_other_types_of_message() {
        let completion = |outcome| Ok(ClientMessage::Completion { id: "7".into(), outcome });

        assert_eq!(
            read(br#"{"type":4,"invocationId":"7","target":"Watch","arguments":[]}"#),
            Ok(ClientMessage::StreamInvocation(call(Some("7"), "Watch", &[])))
        );
        assert_eq!(
            read(br#"{"type":2,"invocationId":"7","item":{"a": 1}}"#),
            Ok(ClientMessage::StreamItem { id: "7".into(), item: r#"{"a": 1}"#.into() })
        );
        assert_eq!(
            read(br#"{"type":2,"invocationId":"7","item":null}"#),
            Ok(ClientMessage::StreamItem { id: "7".into(), item: "null".into() })
        );
        assert_eq!(read(br#"{"type":3,"invocationId":"7"}"#), completion(Ok(None)));
        assert_eq!(
            read(br#"{"type":3,"invocationId":"7","result":[1]}"#),
            completion(Ok(Some("[1]".into())))
        );
        assert_eq!(read(br#"{"type":3,"invocationId":"7","error":"no"}"#), completion(Err("no".into())));
        assert_eq!(
            read(br#"{"type":5,"invocationId":"7"}"#),
            Ok(ClientMessage::CancelInvocation { id: "7".into() })
        );
        assert_eq!(read(br#"{"type":6}"#), Ok(ClientMessage::Ping));
        assert_eq!(read(br#"{"type":7,"error":"bye"}"#), Ok(ClientMessage::Close));
        assert_eq!(read(br#"{"type":8,"sequenceId":3}"#), Ok(ClientMessage::Ack(3)));
        assert_eq!(read(br#"{"type":9,"sequenceId":4}"#), Ok(ClientMessage::Sequence(4)));
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
        assert_eq!(read(br#"{"type":2,"item":1}"#), Err(ProtocolError::Missing("invocationId")));
        assert_eq!(read(br#"{"type":8}"#), Err(ProtocolError::Missing("sequenceId")));
    }

    #[test]
    fn nesting_without_end_is_refused() {
        let deep = format!(r#"{{"type":1,"target":"Send","arguments":[{}"#, "[".repeat(30_000));

        assert!(matches!(read(deep.as_bytes()), Err(ProtocolError::Malformed(_))));
    }
}
