//! Messages after the handshake, in their `MessagePack` form (`HubProtocol.md`, "MessagePack Encoding").
//!
//! A record is an array behind its length. Values of clients become JSON text, for nothing after this tells the encodings
//! apart: bytes become base64 and timestamps RFC 3339, as ASP.NET Core's JSON has them.

use std::borrow::Cow;

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use rmp::encode as put;
use rmpv::Value;
use serde::Serialize;

use super::ProtocolError;
use super::message::{ClientMessage, Invocation};
use super::record::{Outcome, Record};

/// `[6]` behind its length.
pub const PING: &[u8] = &[2, 0x91, 6];

/// How deep values may be nested.
const DEPTH: usize = 64;

/// The most bytes that a length has (`HubProtocol.md`: up to 2 GB in five groups of seven bits).
const MOST_LENGTH_BYTES: usize = 5;

/// Reads the length in front of a record: the number of its own bytes, and of the record's. `None`: more has to come.
///
/// # Errors
/// [`ProtocolError::Malformed`] when it has no end.
pub fn length(bytes: &[u8]) -> Result<Option<(usize, usize)>, ProtocolError> {
    let mut length = 0_u64;
    for (index, byte) in bytes.iter().take(MOST_LENGTH_BYTES).enumerate() {
        length |= u64::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return Ok(Some((index + 1, usize::try_from(length).unwrap_or(usize::MAX))));
        }
    }
    if bytes.len() < MOST_LENGTH_BYTES { Ok(None) } else { Err(malformed("its length has no end")) }
}

/// Reads one record of a client, without its length.
///
/// # Errors
/// [`ProtocolError`]: the connection cannot go on, for what follows would be guesswork.
pub fn read(record: &[u8]) -> Result<ClientMessage<'static>, ProtocolError> {
    let mut rest = record;
    let value = rmpv::decode::read_value_with_max_depth(&mut rest, DEPTH)
        .map_err(|_| malformed("it is not MessagePack"))?;
    if !rest.is_empty() {
        return Err(malformed("something follows its end"));
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

/// The fields of a record that were not looked at yet. Those that a later version adds stay in it.
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

/// Says why, but never repeats what the client sent.
fn malformed(why: &str) -> ProtocolError {
    ProtocolError::Malformed(why.to_owned())
}

fn wrong_type(field: &'static str) -> ProtocolError {
    ProtocolError::Malformed(format!("`{field}` has the wrong type"))
}

fn json_text(value: Value) -> Result<String, ProtocolError> {
    Ok(json_value(value)?.to_string())
}

fn json_value(value: Value) -> Result<serde_json::Value, ProtocolError> {
    use serde_json::Value as Json;
    Ok(match value {
        Value::Nil => Json::Null,
        Value::Boolean(is) => is.into(),
        Value::Integer(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number.into(),
            (None, Some(number)) => number.into(),
            (None, None) => return Err(malformed("a number is out of range")),
        },
        // JSON has neither NaN nor infinity.
        Value::F32(number) => f64::from(number).into(),
        Value::F64(number) => number.into(),
        Value::String(text) => {
            text.into_str().map(Json::from).ok_or_else(|| malformed("a text is not UTF-8"))?
        }
        Value::Binary(bytes) => BASE64_STANDARD.encode(bytes).into(),
        Value::Array(values) => values.into_iter().map(json_value).collect::<Result<Vec<_>, _>>()?.into(),
        Value::Map(entries) => {
            let mut object = serde_json::Map::with_capacity(entries.len());
            for (key, value) in entries {
                let key = match key {
                    Value::String(text) => text.into_str().ok_or_else(|| malformed("a key is not UTF-8"))?,
                    Value::Integer(number) => number.to_string(),
                    _ => return Err(malformed("a key is neither a text nor a number")),
                };
                object.insert(key, json_value(value)?);
            }
            object.into()
        }
        Value::Ext(-1, bytes) => timestamp(&bytes).ok_or_else(|| malformed("a timestamp is none"))?.into(),
        Value::Ext(..) => return Err(malformed("an extension type is unknown")),
    })
}

/// The MessagePack specification's timestamp of 4, 8 or 12 bytes, as RFC 3339.
fn timestamp(bytes: &[u8]) -> Option<String> {
    let (seconds, nanoseconds) = match bytes.len() {
        4 => (i64::from(u32::from_be_bytes(bytes.try_into().ok()?)), 0),
        8 => {
            let both = u64::from_be_bytes(bytes.try_into().ok()?);
            (i64::try_from(both & 0x3_ffff_ffff).ok()?, u32::try_from(both >> 34).ok()?)
        }
        12 => {
            let (nanoseconds, seconds) = bytes.split_at(4);
            (i64::from_be_bytes(seconds.try_into().ok()?), u32::from_be_bytes(nanoseconds.try_into().ok()?))
        }
        _ => return None,
    };
    let at = jiff::Timestamp::new(seconds, i32::try_from(nanoseconds).ok()?).ok()?;
    Some(at.to_string())
}

/// Writes a record: `write` its body, which then goes behind its length.
fn record(write: impl FnOnce(&mut Vec<u8>)) -> Record {
    Record::new(bytes(write))
}

fn bytes(write: impl FnOnce(&mut Vec<u8>)) -> Bytes {
    // Room for the length, which is known only afterwards.
    let mut bytes = vec![0; MOST_LENGTH_BYTES];
    write(&mut bytes);
    let mut length = bytes.len() - MOST_LENGTH_BYTES;
    let mut prefix = [0; MOST_LENGTH_BYTES];
    let mut used = 0;
    loop {
        let low = u8::try_from(length & 0x7f).unwrap_or_default();
        length >>= 7;
        prefix[used] = if length == 0 { low } else { low | 0x80 };
        used += 1;
        if length == 0 {
            break;
        }
    }
    let start = MOST_LENGTH_BYTES - used;
    bytes[start..MOST_LENGTH_BYTES].copy_from_slice(&prefix[..used]);
    Bytes::from(bytes).slice(start..)
}

const VEC: &str = "a vector takes all that is written to it";

/// The head of a record: how many fields, its type, and headers that are always empty.
fn head(bytes: &mut Vec<u8>, fields: u32, kind: u8) {
    put::write_array_len(bytes, fields).expect(VEC);
    put::write_uint(bytes, kind.into()).expect(VEC);
    put::write_map_len(bytes, 0).expect(VEC);
}

fn value<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    let mut serializer = rmp_serde::Serializer::new(bytes).with_struct_map();
    value.serialize(&mut serializer).expect("our own types always have a MessagePack form");
}

pub(super) fn invocation<A: Serialize>(id: Option<&str>, target: &str, arguments: &A) -> Record {
    record(|bytes| {
        head(bytes, 6, 1);
        match id {
            Some(id) => put::write_str(bytes, id).expect(VEC),
            None => put::write_nil(bytes).expect(VEC),
        }
        put::write_str(bytes, target).expect(VEC);
        value(bytes, arguments);
        put::write_array_len(bytes, 0).expect(VEC);
    })
}

pub(super) fn stream_item<T: Serialize>(id: &str, item: &T) -> Record {
    record(|bytes| {
        head(bytes, 4, 2);
        put::write_str(bytes, id).expect(VEC);
        value(bytes, item);
    })
}

pub(super) fn completion<R: Serialize>(id: &str, outcome: &Outcome<R>) -> Record {
    record(|bytes| {
        head(bytes, if matches!(outcome, Outcome::Done) { 4 } else { 5 }, 3);
        put::write_str(bytes, id).expect(VEC);
        match outcome {
            Outcome::Failed(error) => {
                put::write_uint(bytes, 1).expect(VEC);
                put::write_str(bytes, error).expect(VEC);
            }
            Outcome::Done => {
                put::write_uint(bytes, 2).expect(VEC);
            }
            Outcome::Gave(result) => {
                put::write_uint(bytes, 3).expect(VEC);
                value(bytes, result);
            }
        }
    })
}

pub(super) fn close(error: Option<&str>, allow_reconnect: bool) -> Record {
    Record::uncounted(bytes(|bytes| {
        put::write_array_len(bytes, 3).expect(VEC);
        put::write_uint(bytes, 7).expect(VEC);
        match error {
            Some(error) => put::write_str(bytes, error).expect(VEC),
            None => put::write_nil(bytes).expect(VEC),
        }
        put::write_bool(bytes, allow_reconnect).expect(VEC);
    }))
}

pub(super) fn numbered(kind: u8, sequence: u64) -> Record {
    Record::uncounted(bytes(|bytes| {
        put::write_array_len(bytes, 2).expect(VEC);
        put::write_uint(bytes, kind.into()).expect(VEC);
        put::write_uint(bytes, sequence).expect(VEC);
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A client's record, from its fields as JSON.
    fn from(fields: &serde_json::Value) -> Result<ClientMessage<'static>, ProtocolError> {
        read(&rmp_serde::to_vec(fields).unwrap())
    }

    /// The hub's record as JSON, without its length.
    fn fields(record: &Record) -> serde_json::Value {
        let (prefix, body) = length(record).unwrap().unwrap();
        assert_eq!(record.len(), prefix + body);
        rmp_serde::from_slice(&record[prefix..]).unwrap()
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
    fn values_that_json_lacks_become_text() {
        let value = Value::Array(vec![
            Value::Binary(vec![1, 2, 255]),
            Value::Ext(-1, vec![0, 0, 0, 1]),
            Value::F64(f64::NAN),
            Value::Map(vec![(Value::from(1), Value::from("one"))]),
        ]);

        assert_eq!(json_text(value).unwrap(), r#"["AQL/","1970-01-01T00:00:01Z",null,{"1":"one"}]"#);
        assert!(json_text(Value::Ext(5, vec![])).is_err());
    }

    #[test]
    fn what_is_no_message_says_why() {
        let says = |bytes: &[u8]| read(bytes).unwrap_err().to_string();

        assert_eq!(says(&[0x93, 1]), "A message is malformed: it is not MessagePack.");
        assert_eq!(says(&[0x91, 6, 6]), "A message is malformed: something follows its end.");
        assert_eq!(says(&[6]), "A message is malformed: it is not an array.");
        assert_eq!(says(&[0x90]), "A message is malformed: `type` is missing.");
        assert_eq!(says(&[0x93, 1, 0x80, 0xc0]), "A message is malformed: `target` is missing.");
        // An array that says it has four thousand million values, and has none.
        assert_eq!(says(&[0xdd, 0xff, 0xff, 0xff, 0xff]), "A message is malformed: it is not MessagePack.");
        assert_eq!(says(&[0x91; 4096]), "A message is malformed: it is not MessagePack.");
    }

    #[test]
    fn lengths_of_all_sizes() {
        for size in [0_usize, 1, 127, 128, 16_383, 16_384, 300_000] {
            let record = super::record(|bytes| bytes.resize(bytes.len() + size, 0));
            let (prefix, body) = length(&record).unwrap().unwrap();
            assert_eq!((prefix + body, body), (record.len(), size));
        }
        assert_eq!(length(&[]), Ok(None));
        assert_eq!(length(&[0x80, 0x80]), Ok(None));
        assert!(length(&[0x80; 5]).is_err());
    }

    #[test]
    fn what_the_hub_says() {
        use serde_json::json;
        #[derive(Serialize)]
        struct Told {
            room: &'static str,
            at: u64,
        }
        let told = Told { room: "lobby", at: 1 };

        assert_eq!(
            fields(&invocation(None, "message", &[&told])),
            json!([1, {}, null, "message", [{"room": "lobby", "at": 1}], []])
        );
        assert_eq!(fields(&invocation(Some("i"), "ask", &[0_u8; 0]))[2], "i");
        assert_eq!(fields(&stream_item("s", &"x")), json!([2, {}, "s", "x"]));
        assert_eq!(fields(&completion::<()>("1", &Outcome::Done)), json!([3, {}, "1", 2]));
        assert_eq!(fields(&completion("1", &Outcome::Gave(7))), json!([3, {}, "1", 3, 7]));
        assert_eq!(
            fields(&completion::<()>("1", &Outcome::Failed("no".into()))),
            json!([3, {}, "1", 1, "no"])
        );
        assert_eq!(fields(&close(Some("no"), true)), json!([7, "no", true]));
        assert_eq!(fields(&numbered(8, 300)), json!([8, 300]));
        assert_eq!(fields(&Record::new(PING)), json!([6]));
    }
}
