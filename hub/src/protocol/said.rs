//! A message of a room as it travels between the pods and as the clients get it.
//!
//! Its body is written once, by the pod that takes it; its id is known only when it is stored, and goes in front.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::OnceLock;

use serde::{Serialize, Serializer};
use serde_json::value::RawValue;
use signalr::encoding::Encoding;
use signalr::record::{JsonText, Record};

use super::position::Position;

const HEAD: &str = r#"{"type":1,"target":"message","arguments":["#;
const TAIL: &str = "]}\x1e";

/// A message without its id.
#[derive(Debug, Serialize)]
pub struct Message<'a> {
    /// The room.
    pub room: &'a str,
    /// Who sent it, by the name given to `Join`.
    pub from: &'a str,
    /// What was sent.
    pub text: &'a str,
    /// When the pod accepted it, in milliseconds since 1970 by the pod's clock.
    pub at: u64,
    /// The pod that accepted it.
    pub pod: &'a str,
    /// The user, if clients are authenticated.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<&'a str>,
    /// As the client gave it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
}

impl Message<'_> {
    /// As it goes over the backplane. Whoever is named in `except` does not get it.
    pub fn body(&self, except: Option<&Origin>) -> String {
        let json = json_of(self);
        match except {
            Some(except) => format!("{except} {json}"),
            None => json,
        }
    }
}

fn json_of(message: &Message) -> String {
    serde_json::to_string(message).expect("a message always has a JSON form")
}

/// A connection, as other pods know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Origin<'a> {
    /// The process that serves it.
    pub instance: Cow<'a, str>,
    /// The connection's key there.
    pub key: u64,
}

impl<'a> Origin<'a> {
    /// Reads what `Display` wrote.
    pub fn read(text: &'a str) -> Option<Self> {
        let (instance, key) = text.rsplit_once('.')?;
        Some(Self { instance: instance.into(), key: key.parse().ok()? })
    }

    /// The connection, if it is one of `instance`.
    pub fn key_here(&self, instance: &str) -> Option<u64> {
        (self.instance == instance).then_some(self.key)
    }
}

impl std::fmt::Display for Origin<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.instance, self.key)
    }
}

impl Serialize for Origin<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// A message with its id, ready for clients of both encodings.
#[derive(Debug)]
pub struct Said {
    /// Its id.
    pub position: Position,
    /// The connection of this process that does not get it.
    pub except: Option<u64>,
    json: Record,
    /// The message alone in `json`.
    object: Range<usize>,
    messagepack: OnceLock<Record>,
}

impl Said {
    /// Reads a body; `None` if it is none of a hub.
    pub fn read(position: Position, body: &str, instance: &str) -> Option<Self> {
        let (except, json) = if body.starts_with('{') {
            (None, body)
        } else {
            let (except, json) = body.split_once(' ')?;
            (Origin::read(except)?.key_here(instance), json)
        };
        // Whoever can write to Redis must not be able to end a client's connection with what is no JSON.
        let fields = serde_json::from_str::<&RawValue>(json).ok()?.get().strip_prefix('{')?;
        if fields.trim_start().starts_with('}') {
            return None;
        }
        let id = position.to_string();
        let record = [HEAD, r#"{"id":""#, &id, r#"","#, fields, TAIL].concat();
        let object = HEAD.len()..record.len() - TAIL.len();
        Some(Self { position, except, json: Record::new(record), object, messagepack: OnceLock::new() })
    }

    /// Reads what goes over a room's channel: the id, a space, and the body.
    pub fn hear(payload: &str, instance: &str) -> Option<Self> {
        let (id, body) = payload.split_once(' ')?;
        Self::read(id.parse().ok()?, body, instance)
    }

    /// The call of a client's `message`, encoded when a client first asks for it.
    pub fn record(&self, encoding: Encoding) -> &Record {
        match encoding {
            Encoding::Json => &self.json,
            Encoding::MessagePack => self
                .messagepack
                .get_or_init(|| encoding.invocation(None, "message", &[JsonText(self.object())])),
        }
    }

    /// The message as JSON.
    // It was made of text, and cut where text begins and ends.
    pub fn object(&self) -> &str {
        std::str::from_utf8(&self.json[self.object.clone()]).unwrap_or_default()
    }

    /// The memory that it takes, about.
    pub fn bytes(&self) -> usize {
        self.json.len()
    }
}

impl Serialize for Said {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        JsonText(self.object()).serialize(serializer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message() -> Message<'static> {
        Message { room: "lobby", from: "Ada", text: "T~ok", at: 5, pod: "hub-0", user: None, nonce: None }
    }

    #[test]
    fn a_message_gets_its_id_in_front_and_keeps_the_rest_as_it_is() {
        let payload = format!("17-3 {}", message().body(None));

        let said = Said::hear(&payload, "me").unwrap();

        let object = r#"{"id":"17-3","room":"lobby","from":"Ada","text":"T~ok","at":5,"pod":"hub-0"}"#;
        assert_eq!(said.object(), object);
        assert_eq!(
            said.record(Encoding::Json)[..],
            *format!("{{\"type\":1,\"target\":\"message\",\"arguments\":[{object}]}}\x1e").as_bytes()
        );
        assert_eq!(
            *said.record(Encoding::MessagePack),
            Encoding::MessagePack.invocation(None, "message", &[JsonText(object)])
        );
    }

    #[test]
    fn a_message_may_spare_one_connection_of_one_process() {
        let origin = Origin { instance: "me".into(), key: 7 };
        let payload = format!("17-3 {}", message().body(Some(&origin)));

        assert_eq!(Said::hear(&payload, "me").unwrap().except, Some(7));
        assert_eq!(Said::hear(&payload, "other").unwrap().except, None);
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
            assert!(Said::hear(payload, "me").is_none(), "{payload}");
        }
    }
}
