//! What is said in each protocol on the way to a joined connection and after. Pure.
//!
//! SignalR's `HubProtocol.md`: JSON records end with 0x1e; `MessagePack` records begin with their length as a `VarInt`; the
//! handshake is JSON in either.

use crate::websocket::Opcode;
use serde_json::json;

const SEPARATOR: u8 = 0x1e;
/// Answers refer to it.
const JOIN: &str = "1";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    Json,
    MessagePack,
    /// Of the null server: a frame is a text, and whoever is connected has joined.
    Raw,
}

/// What a record is to someone who waits for the answer to a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Refused,
    /// To something else.
    Other,
}

/// The words of one protocol in one room.
pub(super) struct Dialect {
    wire: Wire,
    /// The target of the upgrade.
    pub(super) path: &'static str,
    /// What to send, and wait for the answer to, one after the other.
    pub(super) steps: Vec<(Opcode, Vec<u8>)>,
    /// What an idle client says now and then, if anything.
    pub(super) keep_alive: Option<(Opcode, Vec<u8>)>,
    /// Of the frame that sends a text.
    pub(super) opcode: Opcode,
    before: Vec<u8>,
    after: Vec<u8>,
}

impl Dialect {
    /// For texts of one length.
    pub(super) fn new(wire: Wire, room: &str, text_bytes: usize) -> Self {
        match wire {
            Wire::Json => Self::json(room),
            Wire::MessagePack => Self::message_pack(room, text_bytes),
            Wire::Raw => Self {
                wire,
                path: "/",
                steps: Vec::new(),
                keep_alive: None,
                opcode: Opcode::Text,
                before: Vec::new(),
                after: Vec::new(),
            },
        }
    }

    fn json(room: &str) -> Self {
        let record = |value: serde_json::Value| [value.to_string().as_bytes(), &[SEPARATOR]].concat();
        let join = json!({"type": 1, "invocationId": JOIN, "target": "Join", "arguments": [room]});
        Self {
            wire: Wire::Json,
            path: "/hub",
            steps: vec![(Opcode::Text, handshake("json")), (Opcode::Text, record(join))],
            keep_alive: Some((Opcode::Text, record(json!({"type": 6})))),
            opcode: Opcode::Text,
            before: format!(r#"{{"type":1,"target":"Send","arguments":[{},""#, json!(room)).into_bytes(),
            after: b"\"]}\x1e".to_vec(),
        }
    }

    fn message_pack(room: &str, text_bytes: usize) -> Self {
        // [type, headers, invocation id, target, arguments, streams]
        let mut join = vec![0x96, 1, 0x80];
        put_string(&mut join, JOIN);
        put_string(&mut join, "Join");
        join.push(0x91);
        put_string(&mut join, room);
        join.push(0x90);

        let mut before = vec![0x96, 1, 0x80, 0xc0];
        put_string(&mut before, "Send");
        before.push(0x92);
        put_string(&mut before, room);
        put_string_head(&mut before, text_bytes);
        let after = vec![0x90];
        let mut length = Vec::new();
        put_length(&mut length, before.len() + text_bytes + after.len());
        Self {
            wire: Wire::MessagePack,
            path: "/hub",
            steps: vec![(Opcode::Text, handshake("messagepack")), (Opcode::Binary, with_length(&join))],
            keep_alive: Some((Opcode::Binary, with_length(&[0x91, 6]))),
            opcode: Opcode::Binary,
            before: [length, before].concat(),
            after,
        }
    }

    /// Writes what makes the room hear a text.
    pub(super) fn send(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.extend_from_slice(text);
        out.extend_from_slice(&self.after);
    }

    /// Takes the next record of a message; `step` is the one whose answer is waited for.
    ///
    /// # Errors
    /// When the rest is no record.
    pub(super) fn record<'a>(
        &self,
        step: Option<usize>,
        rest: &mut &'a [u8],
    ) -> Result<&'a [u8], &'static str> {
        let (record, later) = match self.wire {
            Wire::Raw => (*rest, &[][..]),
            Wire::MessagePack if step != Some(0) => split_length(rest).ok_or("half a MessagePack record")?,
            Wire::Json | Wire::MessagePack => {
                let end = rest.iter().position(|&b| b == SEPARATOR).ok_or("half a JSON record")?;
                (&rest[..end], &rest[end + 1..])
            }
        };
        *rest = later;
        Ok(record)
    }

    /// Whether a record answers a step.
    pub(super) fn answers(&self, step: usize, record: &[u8]) -> Answer {
        match (step, self.wire) {
            (0, _) if record == b"{}" => Answer::Done,
            (0, _) => Answer::Refused,
            (_, Wire::MessagePack) => completion(record),
            _ if !contains(record, br#""invocationId":"1""#) => {
                // Of the connection, rather than of the call.
                if contains(record, br#""type":7"#) { Answer::Refused } else { Answer::Other }
            }
            _ if contains(record, br#""error":"#) => Answer::Refused,
            _ => Answer::Done,
        }
    }
}

fn handshake(protocol: &str) -> Vec<u8> {
    [json!({"protocol": protocol, "version": 1}).to_string().as_bytes(), &[SEPARATOR]].concat()
}

fn contains(record: &[u8], part: &[u8]) -> bool {
    record.windows(part.len()).any(|w| w == part)
}

/// Whether a `MessagePack` record is `[3, {}, JOIN, kind, …]`; kind 1 is an error.
fn completion(record: &[u8]) -> Answer {
    match record {
        [0x94 | 0x95, 3, 0x80, 0xa1, b'1', kind, ..] if *kind != 1 => Answer::Done,
        [0x94 | 0x95, 3, ..] | [0x92 | 0x93, 7, ..] => Answer::Refused,
        _ => Answer::Other,
    }
}

fn put_string(out: &mut Vec<u8>, text: &str) {
    put_string_head(out, text.len());
    out.extend_from_slice(text.as_bytes());
}

fn put_string_head(out: &mut Vec<u8>, length: usize) {
    match (u8::try_from(length), u16::try_from(length)) {
        (Ok(short), _) if short < 32 => out.push(0xa0 | short),
        (Ok(short), _) => out.extend_from_slice(&[0xd9, short]),
        (_, Ok(medium)) => {
            out.push(0xda);
            out.extend_from_slice(&medium.to_be_bytes());
        }
        _ => unreachable!("the command line allows no longer texts"),
    }
}

fn with_length(record: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    put_length(&mut out, record.len());
    out.extend_from_slice(record);
    out
}

/// A `VarInt`: seven bits a byte, the lowest first, the eighth bit on all but the last.
fn put_length(out: &mut Vec<u8>, mut length: usize) {
    while length >= 0x80 {
        out.push((length & 0x7f) as u8 | 0x80);
        length >>= 7;
    }
    out.push(length as u8);
}

fn split_length(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let mut length = 0;
    for (index, byte) in bytes.iter().take(5).enumerate() {
        length |= usize::from(byte & 0x7f) << (7 * index);
        if byte & 0x80 == 0 {
            return bytes[index + 1..].split_at_checked(length);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn records(dialect: &Dialect, step: Option<usize>, mut message: &[u8]) -> Vec<Vec<u8>> {
        let mut all = Vec::new();
        while !message.is_empty() {
            all.push(dialect.record(step, &mut message).unwrap().to_vec());
        }
        all
    }

    #[test]
    fn json_is_sent_as_a_client_would() {
        let dialect = Dialect::new(Wire::Json, "lobby", 2);
        let mut out = Vec::new();
        dialect.send(b"hi", &mut out);

        assert_eq!(out, b"{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",\"hi\"]}\x1e");
        assert_eq!(records(&dialect, None, b"a\x1eb\x1e"), [b"a", b"b"]);
        assert!(dialect.record(None, &mut &b"a"[..]).is_err());
    }

    #[test]
    fn message_pack_is_sent_as_a_client_would() {
        let dialect = Dialect::new(Wire::MessagePack, "lobby", 200);
        let mut out = Vec::new();
        dialect.send(&[b'x'; 200], &mut out);

        let (record, rest) = split_length(&out).unwrap();
        assert!(rest.is_empty());
        let head =
            [&[0x96, 1, 0x80, 0xc0, 0xa4][..], b"Send", &[0x92, 0xa5], b"lobby", &[0xd9, 200]].concat();
        assert!(record.starts_with(&head));
        assert_eq!(record.len(), head.len() + 200 + 1);
        assert_eq!(records(&dialect, None, &[out.clone(), with_length(&[0x91, 6])].concat()).len(), 2);
        assert!(dialect.record(None, &mut &out[..100]).is_err());
    }

    #[test]
    fn the_handshake_is_json_and_may_be_followed_by_message_pack() {
        let dialect = Dialect::new(Wire::MessagePack, "lobby", 200);
        let message = [b"{}\x1e".as_slice(), &with_length(&[0x91, 6])].concat();
        let mut rest = &message[..];

        assert_eq!(dialect.record(Some(0), &mut rest), Ok(&b"{}"[..]));
        assert_eq!(dialect.record(Some(1), &mut rest), Ok(&[0x91, 6][..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn an_answer_is_known_from_an_error_and_from_other_records() {
        let json = Dialect::new(Wire::Json, "lobby", 2);
        let says = |record: &str| json.answers(1, record.as_bytes());
        assert_eq!(json.answers(0, b"{}"), Answer::Done);
        assert_eq!(json.answers(0, br#"{"error":"no"}"#), Answer::Refused);
        assert_eq!(says(r#"{"type":1,"target":"welcome","arguments":[{}]}"#), Answer::Other);
        assert_eq!(says(r#"{"type":3,"invocationId":"1","result":{"room":"lobby"}}"#), Answer::Done);
        assert_eq!(says(r#"{"type":3,"invocationId":"1","error":"no"}"#), Answer::Refused);
        assert_eq!(says(r#"{"type":7,"error":"no"}"#), Answer::Refused);

        let packed = Dialect::new(Wire::MessagePack, "lobby", 2);
        assert_eq!(packed.answers(1, &[0x96, 1, 0x80, 0xc0]), Answer::Other);
        assert_eq!(packed.answers(1, &[0x95, 3, 0x80, 0xa1, b'1', 3, 0x80]), Answer::Done);
        assert_eq!(packed.answers(1, &[0x95, 3, 0x80, 0xa1, b'1', 1, 0xa0]), Answer::Refused);
    }
}
