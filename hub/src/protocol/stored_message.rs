//! A message of a room, as it is stored, sent between hubs and delivered to clients.
//!
//! The hub that accepts a message writes its body once. The id is known only after the message is stored, and
//! is put in front of the body.

use std::ops::Range;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use signalr::encoding::Encoding;
use signalr::record::{JsonText, Record};

use super::connection_ref::ConnectionRef;
use super::position::Position;

const HEAD: &str = r#"{"type":1,"target":"message","arguments":["#;
const TAIL: &str = "]}\x1e";

/// The body of a message: all of it but the id.
#[derive(Debug, Serialize)]
pub struct MessageBody<'a> {
    /// The room.
    pub room: &'a str,
    /// The sender's name, as given to `Join`.
    pub from: &'a str,
    /// The text of the message.
    pub text: &'a str,
    /// The time when the hub accepted the message, in milliseconds since 1970 by its clock.
    pub at: u64,
    /// The pod of the hub that accepted the message.
    pub pod: &'a str,
    /// The sender's user, if clients are authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// The nonce, as the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
}

impl MessageBody<'_> {
    /// The body as it is sent over the backplane. The connection in `excluded` does not receive the message.
    pub fn encode(&self, excluded: Option<&ConnectionRef>) -> String {
        let json = json_of(self);
        match excluded {
            Some(excluded) => format!("{excluded} {json}"),
            None => json,
        }
    }
}

fn json_of(message: &MessageBody) -> String {
    serde_json::to_string(message).expect("a message always has a JSON form")
}

/// A message with its id, ready for clients of both encodings.
#[derive(Debug)]
pub struct StoredMessage {
    /// Its id.
    pub position: Position,
    /// The connection of this process that does not receive the message.
    pub excluded: Option<u64>,
    json: Record,
    /// The range of the message alone within `json`.
    object: Range<usize>,
    messagepack: OnceLock<Record>,
}

impl StoredMessage {
    /// Reads a message's body; `None` if no hub wrote it.
    pub fn read_body(position: Position, body: &str, instance: &str) -> Option<Self> {
        let (excluded, json) = if body.starts_with('{') {
            (None, body)
        } else {
            let (excluded, json) = body.split_once(' ')?;
            (ConnectionRef::read(excluded)?.local_key(instance), json)
        };
        // Others may be able to write to Redis. A body that is not JSON must not end the connections of
        // clients.
        let fields = serde_json::from_str::<&RawValue>(json).ok()?.get().strip_prefix('{')?;
        if fields.trim_start().starts_with('}') {
            return None;
        }
        let id = position.to_string();
        let record = [HEAD, r#"{"id":""#, &id, r#"","#, fields, TAIL].concat();
        let object = HEAD.len()..record.len() - TAIL.len();
        Some(Self { position, excluded, json: Record::new(record), object, messagepack: OnceLock::new() })
    }

    /// Reads a message from a room's channel: the id, a space, and the body.
    pub fn read(payload: &str, instance: &str) -> Option<Self> {
        let (id, body) = payload.split_once(' ')?;
        Self::read_body(id.parse().ok()?, body, instance)
    }

    /// The invocation of the client's method `message`. The `MessagePack` form is encoded when it is first
    /// needed.
    pub fn record(&self, encoding: Encoding) -> &Record {
        match encoding {
            Encoding::Json => &self.json,
            Encoding::MessagePack => self
                .messagepack
                .get_or_init(|| encoding.invocation(None, "message", &[JsonText(self.object())])),
        }
    }

    /// The message as JSON.
    // The range is always valid: the bytes were text, and are cut at the ends of strings.
    pub fn object(&self) -> &str {
        std::str::from_utf8(&self.json[self.object.clone()]).unwrap_or_default()
    }

    /// The approximate memory use in bytes.
    pub fn bytes(&self) -> usize {
        self.json.len()
    }
}

impl Serialize for StoredMessage {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonText(self.object()).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body() -> MessageBody<'static> {
        MessageBody { room: "lobby", from: "Ada", text: "T~ok", at: 5, pod: "hub-0", user: None, nonce: None }
    }

    #[test]
    fn a_message_gets_its_id_in_front_and_keeps_the_rest_as_it_is() {
        let payload = format!("17-3 {}", body().encode(None));

        let stored = StoredMessage::read(&payload, "me").unwrap();

        let object = r#"{"id":"17-3","room":"lobby","from":"Ada","text":"T~ok","at":5,"pod":"hub-0"}"#;
        assert_eq!(stored.object(), object);
        assert_eq!(
            stored.record(Encoding::Json)[..],
            *format!("{{\"type\":1,\"target\":\"message\",\"arguments\":[{object}]}}\x1e").as_bytes()
        );
        assert_eq!(
            *stored.record(Encoding::MessagePack),
            Encoding::MessagePack.invocation(None, "message", &[JsonText(object)])
        );
    }

    #[test]
    fn a_message_may_spare_one_connection_of_one_process() {
        let excluded = ConnectionRef { instance: "me".into(), key: 7 };
        let payload = format!("17-3 {}", body().encode(Some(&excluded)));

        assert_eq!(StoredMessage::read(&payload, "me").unwrap().excluded, Some(7));
        assert_eq!(StoredMessage::read(&payload, "other").unwrap().excluded, None);
    }

    #[test]
    fn what_is_no_message_is_not_read() {
        for payload in [
            "",
            "hello",
            "17-3",
            "17-3 ",
            "17-3 {}",
            "17-3 { }",
            "17-3 [1]",
            "17-3 {\"a\":1",
            "x {\"a\":1}",
            "17-3 {\"a\":1}\x1e",
            "17-3 x {\"a\":1}",
            "17-3 me.7 ",
            "{\"type\":1,}\x1e",
        ] {
            assert!(StoredMessage::read(payload, "me").is_none(), "{payload}");
        }
    }
}
