//! Writes messages in their `MessagePack` form, each with its length prefix.

use rmp::encode as put;
use serde::Serialize;

use super::length::prefixed;
use crate::record::{CompletionResult, Record};

/// A ping: `[6]` with its length prefix.
pub const PING: &[u8] = &[2, 0x91, 6];

/// Makes a record of the body that `write` writes.
fn record(write: impl FnOnce(&mut Vec<u8>)) -> Record {
    Record::new(prefixed(write))
}

const VEC: &str = "a vector takes all that is written to it";

/// Writes the first fields of a record: the number of fields, the type, and the headers, which are always
/// empty.
fn head(bytes: &mut Vec<u8>, fields: u32, kind: u8) {
    put::write_array_len(bytes, fields).expect(VEC);
    put::write_uint(bytes, kind.into()).expect(VEC);
    put::write_map_len(bytes, 0).expect(VEC);
}

fn value<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    let mut serializer = rmp_serde::Serializer::new(bytes).with_struct_map();
    value.serialize(&mut serializer).expect("our own types always have a MessagePack form");
}

pub(crate) fn invocation<A: Serialize>(id: Option<&str>, target: &str, arguments: &A) -> Record {
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

pub(crate) fn stream_item<T: Serialize>(id: &str, item: &T) -> Record {
    record(|bytes| {
        head(bytes, 4, 2);
        put::write_str(bytes, id).expect(VEC);
        value(bytes, item);
    })
}

pub(crate) fn completion<R: Serialize>(id: &str, outcome: &CompletionResult<R>) -> Record {
    record(|bytes| {
        head(bytes, if matches!(outcome, CompletionResult::Void) { 4 } else { 5 }, 3);
        put::write_str(bytes, id).expect(VEC);
        match outcome {
            CompletionResult::Error(error) => {
                put::write_uint(bytes, 1).expect(VEC);
                put::write_str(bytes, error).expect(VEC);
            }
            CompletionResult::Void => {
                put::write_uint(bytes, 2).expect(VEC);
            }
            CompletionResult::Value(result) => {
                put::write_uint(bytes, 3).expect(VEC);
                value(bytes, result);
            }
        }
    })
}

pub(crate) fn close(error: Option<&str>, allow_reconnect: bool) -> Record {
    Record::unsequenced(prefixed(|bytes| {
        put::write_array_len(bytes, 3).expect(VEC);
        put::write_uint(bytes, 7).expect(VEC);
        match error {
            Some(error) => put::write_str(bytes, error).expect(VEC),
            None => put::write_nil(bytes).expect(VEC),
        }
        put::write_bool(bytes, allow_reconnect).expect(VEC);
    }))
}

pub(crate) fn numbered(kind: u8, sequence: u64) -> Record {
    Record::unsequenced(prefixed(|bytes| {
        put::write_array_len(bytes, 2).expect(VEC);
        put::write_uint(bytes, kind.into()).expect(VEC);
        put::write_uint(bytes, sequence).expect(VEC);
    }))
}

#[cfg(test)]
mod tests {
    use super::super::length;
    use super::*;

    /// The fields of the hub's record as JSON, without the length prefix.
    fn fields(record: &Record) -> serde_json::Value {
        let (prefix, body) = length(record).unwrap().unwrap();
        assert_eq!(record.len(), prefix + body);
        rmp_serde::from_slice(&record[prefix..]).unwrap()
    }

    #[test]
    fn messages_of_the_hub() {
        use serde_json::json;
        #[derive(Serialize)]
        struct Notice {
            room: &'static str,
            at: u64,
        }
        let notice = Notice { room: "lobby", at: 1 };

        assert_eq!(
            fields(&invocation(None, "message", &[&notice])),
            json!([1, {}, null, "message", [{"room": "lobby", "at": 1}], []])
        );
        assert_eq!(fields(&invocation(Some("i"), "ask", &[0_u8; 0]))[2], "i");
        assert_eq!(fields(&stream_item("s", &"x")), json!([2, {}, "s", "x"]));
        assert_eq!(fields(&completion::<()>("1", &CompletionResult::Void)), json!([3, {}, "1", 2]));
        assert_eq!(fields(&completion("1", &CompletionResult::Value(7))), json!([3, {}, "1", 3, 7]));
        assert_eq!(
            fields(&completion::<()>("1", &CompletionResult::Error("no".into()))),
            json!([3, {}, "1", 1, "no"])
        );
        assert_eq!(fields(&close(Some("no"), true)), json!([7, "no", true]));
        assert_eq!(fields(&numbered(8, 300)), json!([8, 300]));
        assert_eq!(fields(&Record::new(PING)), json!([6]));
    }
}
