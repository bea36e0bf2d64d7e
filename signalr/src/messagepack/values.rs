//! `MessagePack` values as JSON text.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use rmpv::Value;

use crate::error::ProtocolError;

pub(super) fn json_text(value: Value) -> Result<String, ProtocolError> {
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
        // NaN and infinity become null: JSON has neither.
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
        Value::Ext(-1, bytes) => timestamp(&bytes).ok_or_else(|| malformed("a timestamp is invalid"))?.into(),
        Value::Ext(..) => return Err(malformed("an extension type is unknown")),
    })
}

/// The `MessagePack` specification's timestamp of 4, 8 or 12 bytes, in the format of RFC 3339.
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

/// An error with its cause. It never repeats the input, which may be private.
pub(super) fn malformed(why: &str) -> ProtocolError {
    ProtocolError::Malformed(why.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
