//! The bytes that members and servers exchange, from the handshake to texts: SignalR's, or the null server's
//! raw texts. Pure.

use crate::websocket::Opcode;
use signalr::client::handshake;
use signalr::client::message::{self, HubMessage};
use signalr::encoding::Encoding;
use signalr::error::ProtocolError;
use signalr::record::Record;
use signalr::split;

/// The id of the invocation with which a member joins the room.
const JOIN: &str = "1";

/// A protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wire {
    /// The hubs'
    SignalR(Encoding),
    /// The null server's: a frame is a text, and a member that is connected has joined
    Raw,
}

/// The meaning of a record for a member that waits for the answer to a step.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Done,
    Refused,
    /// The record is about something else.
    Other,
}

/// One protocol in one room, for texts of one length.
pub(super) struct Dialect {
    wire: Wire,
    /// The path of the WebSocket.
    pub(super) path: &'static str,
    /// The messages with which a member joins; each is sent once the one before has been answered.
    pub(super) steps: Vec<(Opcode, Vec<u8>)>,
    /// The message of a member that has been silent for a while, if the protocol has one.
    pub(super) keep_alive: Option<(Opcode, Vec<u8>)>,
    /// The opcode of the frame that sends a text.
    pub(super) opcode: Opcode,
    /// The bytes before a text.
    before: Vec<u8>,
    /// The bytes after it.
    after: Vec<u8>,
}

impl Dialect {
    pub(super) fn new(wire: Wire, room: &str, text_bytes: usize) -> Self {
        match wire {
            Wire::SignalR(encoding) => Self::signalr(encoding, room, text_bytes),
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

    fn signalr(encoding: Encoding, room: &str, text_bytes: usize) -> Self {
        let opcode = match encoding {
            Encoding::Json => Opcode::Text,
            Encoding::MessagePack => Opcode::Binary,
        };
        let (before, after) = around_text(encoding, room, text_bytes);
        Self {
            wire: Wire::SignalR(encoding),
            path: "/hub",
            steps: vec![
                (Opcode::Text, bytes(&handshake::request(encoding))),
                (opcode, bytes(&encoding.invocation(Some(JOIN), "Join", &[room]))),
            ],
            keep_alive: Some((opcode, bytes(&encoding.ping()))),
            opcode,
            before,
            after,
        }
    }

    /// Writes the message that sends a text to the room.
    pub(super) fn send(&self, text: &[u8], out: &mut Vec<u8>) {
        out.extend_from_slice(&self.before);
        out.extend_from_slice(text);
        out.extend_from_slice(&self.after);
    }

    /// Takes the next record of a message. `step` is the one whose answer is waited for, if any.
    ///
    /// # Errors
    /// The message does not end with a whole record.
    pub(super) fn record<'a>(
        &self,
        step: Option<usize>,
        rest: &mut &'a [u8],
    ) -> Result<&'a [u8], ProtocolError> {
        let (record, later) = match self.wire {
            Wire::Raw => (*rest, &[][..]),
            // The answer to the handshake is JSON, whatever follows it.
            Wire::SignalR(_) if step == Some(0) => split::first(Encoding::Json, rest)?,
            Wire::SignalR(encoding) => split::first(encoding, rest)?,
        };
        *rest = later;
        Ok(record)
    }

    /// Whether a record answers a step.
    pub(super) fn answers(&self, step: usize, record: &[u8]) -> Answer {
        let Wire::SignalR(encoding) = self.wire else { return Answer::Other };
        if step == 0 {
            return if handshake::response(record).is_ok() { Answer::Done } else { Answer::Refused };
        }
        match message::read(encoding, record) {
            Ok(HubMessage::Completion { id, outcome: Ok(_) }) if id == JOIN => Answer::Done,
            Ok(HubMessage::Completion { .. } | HubMessage::Close(_)) | Err(_) => Answer::Refused,
            Ok(_) => Answer::Other,
        }
    }
}

fn bytes(record: &Record) -> Vec<u8> {
    record.to_vec()
}

/// The bytes of the invocation that sends a text, before and after the text. Neither encoding escapes a
/// text's letters, so that a text of the same length can take the place of another one.
fn around_text(encoding: Encoding, room: &str, text_bytes: usize) -> (Vec<u8>, Vec<u8>) {
    let text = "x".repeat(text_bytes);
    let record = encoding.invocation(None, "Send", &[room, &text]);
    let place = record.windows(text_bytes).rposition(|window| window == text.as_bytes());
    let place = place.expect("the record contains the text");
    (record[..place].to_vec(), record[place + text_bytes..].to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;
    use signalr::handshake::{ACCEPTED, HandshakeError, refused};
    use signalr::message::{ClientMessage, Invocation};
    use signalr::record::CompletionResult;

    const ENCODINGS: [Encoding; 2] = [Encoding::Json, Encoding::MessagePack];

    /// The only record of a message, as a hub reads it.
    fn read(encoding: Encoding, message: &[u8]) -> String {
        let (record, rest) = split::first(encoding, message).unwrap();
        assert!(rest.is_empty());
        let read = match encoding {
            Encoding::Json => signalr::json::read(record),
            Encoding::MessagePack => signalr::messagepack::read(record),
        };
        format!("{:?}", read.unwrap())
    }

    fn invocation(id: Option<&str>, target: &str, arguments: &[String]) -> String {
        let invocation = Invocation {
            id: id.map(|id| id.to_owned().into()),
            target: target.to_owned().into(),
            arguments: arguments.iter().map(|argument| argument.clone().into()).collect(),
            streams: vec![],
        };
        format!("{:?}", ClientMessage::Invocation(invocation))
    }

    #[test]
    fn a_hub_reads_what_a_member_sends() {
        for encoding in ENCODINGS {
            let dialect = Dialect::new(Wire::SignalR(encoding), "lobby", 200);
            let text = "T~".repeat(100);
            let mut sent = Vec::new();
            dialect.send(text.as_bytes(), &mut sent);

            assert_eq!(
                read(encoding, &dialect.steps[1].1),
                invocation(Some("1"), "Join", &["\"lobby\"".to_owned()])
            );
            assert_eq!(
                read(encoding, &sent),
                invocation(None, "Send", &["\"lobby\"".to_owned(), format!("\"{text}\"")])
            );
            assert_eq!(
                read(encoding, &dialect.keep_alive.as_ref().unwrap().1),
                format!("{:?}", ClientMessage::Ping)
            );
        }
    }

    #[test]
    fn the_answer_to_the_handshake_is_json_and_may_be_followed_by_message_pack() {
        let dialect = Dialect::new(Wire::SignalR(Encoding::MessagePack), "lobby", 200);
        let message = [ACCEPTED, &Encoding::MessagePack.ping()].concat();
        let mut rest = &message[..];

        assert_eq!(dialect.record(Some(0), &mut rest), Ok(&b"{}"[..]));
        assert_eq!(dialect.record(Some(1), &mut rest), Ok(&[0x91, 6][..]));
        assert!(rest.is_empty());
    }

    #[test]
    fn an_answer_is_known_from_an_error_and_from_other_records() {
        for encoding in ENCODINGS {
            let dialect = Dialect::new(Wire::SignalR(encoding), "lobby", 32);
            let shaken = |record: &[u8]| dialect.answers(0, record.strip_suffix(b"\x1e").unwrap());
            let joined = |record: Record| dialect.answers(1, split::first(encoding, &record).unwrap().0);

            assert_eq!(shaken(ACCEPTED), Answer::Done);
            assert_eq!(shaken(&refused(&HandshakeError::Timeout)), Answer::Refused);
            assert_eq!(joined(encoding.invocation(None, "welcome", &[1])), Answer::Other);
            assert_eq!(joined(encoding.ping()), Answer::Other);
            assert_eq!(joined(encoding.completion("1", &CompletionResult::Value(1))), Answer::Done);
            assert_eq!(
                joined(encoding.completion::<()>("1", &CompletionResult::Error("no".into()))),
                Answer::Refused
            );
            assert_eq!(joined(encoding.close(Some("no"), false)), Answer::Refused);
        }
    }
}
