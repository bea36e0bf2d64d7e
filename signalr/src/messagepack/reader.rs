//! Reads messages in their `MessagePack` form.

use std::borrow::Cow;

use rmpv::Value;

use super::values::{json_text, malformed};
use crate::error::ProtocolError;
use crate::message::{ClientMessage, Invocation};

/// The deepest nesting of values.
const DEPTH: usize = 64;

/// Reads one record of a client, without its length.
///
/// # Errors
/// A [`ProtocolError`]: the connection cannot continue, because the following bytes cannot be interpreted.
pub fn read(record: &[u8]) -> Result<ClientMessage<'static>, ProtocolError> {
    let mut rest = record;
    let value = rmpv::decode::read_value_with_max_depth(&mut rest, DEPTH)
        .map_err(|_| malformed("it is not MessagePack"))?;
    if !rest.is_empty() {
        return Err(malformed("bytes follow its end"));
    }
    let Value::Array(fields) = value else { return Err(malformed("it is not an array")) };
    let mut fields = Fields(fields.into_iter());
    match fields.number("type")? {
        1 => fields.invocation(false).map(ClientMessage::Invocation),
        2 => {
            fields.skip_headers()?;
            Ok(ClientMessage::StreamItem { id: fields.id()?, item: fields.json("item")? })
        }
        3 => fields.completion(),
        4 => fields.invocation(true).map(ClientMessage::StreamInvocation),
        5 => {
            fields.skip_headers()?;
            Ok(ClientMessage::CancelInvocation { id: fields.id()? })
        }
        6 => Ok(ClientMessage::Ping),
        7 => Ok(ClientMessage::Close),
        8 => fields.number("sequenceId").map(ClientMessage::Ack),
        9 => fields.number("sequenceId").map(ClientMessage::Sequence),
        _ => Ok(ClientMessage::Ignored),
    }
}

/// The fields of a record that have not been read yet. Fields that a later version adds are never read.
struct Fields(std::vec::IntoIter<Value>);

impl Fields {
    fn next(&mut self, name: &'static str) -> Result<Value, ProtocolError> {
        self.0.next().ok_or(ProtocolError::Missing(name))
    }

    fn number(&mut self, name: &'static str) -> Result<u64, ProtocolError> {
        self.next(name)?.as_u64().ok_or_else(|| wrong_type(name))
    }

    fn skip_headers(&mut self) -> Result<(), ProtocolError> {
        match self.next("headers")? {
            Value::Map(_) | Value::Nil => Ok(()),
            _ => Err(wrong_type("headers")),
        }
    }

    fn text(&mut self, name: &'static str) -> Result<Option<Cow<'static, str>>, ProtocolError> {
        match self.next(name)? {
            Value::Nil => Ok(None),
            Value::String(text) => {
                text.into_str().map(|text| Some(text.into())).ok_or_else(|| wrong_type(name))
            }
            _ => Err(wrong_type(name)),
        }
    }

    fn id(&mut self) -> Result<Cow<'static, str>, ProtocolError> {
        self.text("invocationId")?.filter(|id| !id.is_empty()).ok_or(ProtocolError::Missing("invocationId"))
    }

    fn json(&mut self, name: &'static str) -> Result<Cow<'static, str>, ProtocolError> {
        json_text(self.next(name)?).map(Into::into)
    }

    fn array(&mut self, name: &'static str) -> Result<Vec<Value>, ProtocolError> {
        match self.next(name)? {
            Value::Array(values) => Ok(values),
            _ => Err(wrong_type(name)),
        }
    }

    fn invocation(&mut self, needs_id: bool) -> Result<Invocation<'static>, ProtocolError> {
        self.skip_headers()?;
        let id =
            if needs_id { Some(self.id()?) } else { self.text("invocationId")?.filter(|id| !id.is_empty()) };
        let target = self.text("target")?.ok_or(ProtocolError::Missing("target"))?;
        let arguments = self.array("arguments")?;
        let streams = match self.0.next() {
            None | Some(Value::Nil) => Vec::new(),
            Some(Value::Array(streams)) => streams,
            Some(_) => return Err(wrong_type("streamIds")),
        };
        Ok(Invocation {
            id,
            target,
            arguments: arguments
                .into_iter()
                .map(|value| json_text(value).map(Into::into))
                .collect::<Result<_, _>>()?,
            streams: streams
                .into_iter()
                .map(|id| id.as_str().map(|id| id.to_owned().into()).ok_or_else(|| wrong_type("streamIds")))
                .collect::<Result<_, _>>()?,
        })
    }

    fn completion(&mut self) -> Result<ClientMessage<'static>, ProtocolError> {
        self.skip_headers()?;
        let id = self.id()?;
        let outcome = match self.number("resultKind")? {
            1 => Err(self.text("error")?.unwrap_or_default()),
            2 => Ok(None),
            3 => Ok(Some(self.json("result")?)),
            _ => return Err(malformed("its result is of no known kind")),
        };
        Ok(ClientMessage::Completion { id, outcome })
    }
}

fn wrong_type(field: &'static str) -> ProtocolError {
    ProtocolError::Malformed(format!("`{field}` has the wrong type"))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a client's record, given its fields as JSON.
    fn from(fields: &serde_json::Value) -> Result<ClientMessage<'static>, ProtocolError> {
        read(&rmp_serde::to_vec(fields).unwrap())
    }

    #[test]
    fn the_types_of_message() {
        use serde_json::json;
        let call = Invocation {
            id: Some("7".into()),
            target: "Send".into(),
            arguments: vec![r#""lobby""#.into(), r#"{"a":[1,-2,1.5,null,true]}"#.into()],
            streams: vec!["s".into()],
        };
        let fields = json!([1, {}, "7", "Send", ["lobby", {"a": [1, -2, 1.5, null, true]}], ["s"]]);
        assert_eq!(from(&fields), Ok(ClientMessage::Invocation(call.clone())));
        let mut stream = fields;
        stream[0] = json!(4);
        assert_eq!(from(&stream), Ok(ClientMessage::StreamInvocation(call)));
        assert_eq!(
            from(&json!([1, {}, null, "Ping", []])),
            Ok(ClientMessage::Invocation(Invocation { target: "Ping".into(), ..Invocation::default() }))
        );
        assert_eq!(
            from(&json!([2, {}, "s", "x"])),
            Ok(ClientMessage::StreamItem { id: "s".into(), item: r#""x""#.into() })
        );
        let completion = |outcome| Ok(ClientMessage::Completion { id: "1".into(), outcome });
        assert_eq!(from(&json!([3, {}, "1", 1, "no"])), completion(Err("no".into())));
        assert_eq!(from(&json!([3, {}, "1", 2])), completion(Ok(None)));
        assert_eq!(from(&json!([3, {}, "1", 3, 42])), completion(Ok(Some("42".into()))));
        assert_eq!(from(&json!([5, {}, "1"])), Ok(ClientMessage::CancelInvocation { id: "1".into() }));
        assert_eq!(from(&json!([6])), Ok(ClientMessage::Ping));
        assert_eq!(from(&json!([7, null, false])), Ok(ClientMessage::Close));
        assert_eq!(from(&json!([8, 300])), Ok(ClientMessage::Ack(300)));
        assert_eq!(from(&json!([9, 1])), Ok(ClientMessage::Sequence(1)));
        assert_eq!(from(&json!([99, "later"])), Ok(ClientMessage::Ignored));
    }

    #[test]
    fn an_invalid_message_gives_a_reason() {
        let error = |bytes: &[u8]| read(bytes).unwrap_err().to_string();

        assert_eq!(error(&[0x93, 1]), "A message is malformed: it is not MessagePack.");
        assert_eq!(error(&[0x91, 6, 6]), "A message is malformed: bytes follow its end.");
        assert_eq!(error(&[6]), "A message is malformed: it is not an array.");
        assert_eq!(error(&[0x90]), "A message is malformed: `type` is missing.");
        assert_eq!(error(&[0x93, 1, 0x80, 0xc0]), "A message is malformed: `target` is missing.");
        // An array whose header promises four thousand million values, and that has none.
        assert_eq!(error(&[0xdd, 0xff, 0xff, 0xff, 0xff]), "A message is malformed: it is not MessagePack.");
        assert_eq!(error(&[0x91; 4096]), "A message is malformed: it is not MessagePack.");
    }
}
