//! Messages of a hub after the handshake, whatever their encoding.

use std::borrow::Cow;

use rmpv::Value;
use serde::Deserialize;

use crate::encoding::Encoding;
use crate::error::ProtocolError;
use crate::message::{ClientMessage, Invocation};
use crate::{json, messagepack};

/// A message from a hub. Arguments, items and results are JSON text, also if they arrived as `MessagePack`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HubMessage<'a> {
    /// A call of a method of the client, which answers if the call has an id.
    Invocation(Invocation<'a>),
    /// An item of a stream that the client has asked for.
    StreamItem {
        /// The invocation that asked for the stream.
        id: Cow<'a, str>,
        /// The item.
        item: Cow<'a, str>,
    },
    /// The end of an invocation of the client, or of its stream.
    Completion {
        /// The invocation.
        id: Cow<'a, str>,
        /// The result, if there is one, or the error.
        outcome: Result<Option<Cow<'a, str>>, Cow<'a, str>>,
    },
    /// A sign of life.
    Ping,
    /// The hub is about to close the connection.
    Close(Close),
    /// The hub has everything up to this message (stateful reconnect).
    Ack(u64),
    /// The hub's next message has this number (stateful reconnect).
    Sequence(u64),
    /// A message that no hub sends, or that belongs to a later version of the protocol.
    Ignored,
}

/// The end of a connection, as the hub announces it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Close {
    /// The reason, if the hub gives one.
    pub error: Option<String>,
    /// True if the client may reconnect at once.
    pub allow_reconnect: bool,
}

/// Reads one record of a hub, without its separator or length.
///
/// # Errors
/// A [`ProtocolError`]: the connection cannot go on, since what follows cannot be trusted.
pub fn read(encoding: Encoding, record: &[u8]) -> Result<HubMessage<'_>, ProtocolError> {
    let message = match encoding {
        Encoding::Json => json::read(record)?,
        Encoding::MessagePack => messagepack::read(record)?,
    };
    Ok(match message {
        ClientMessage::Invocation(invocation) => HubMessage::Invocation(invocation),
        ClientMessage::StreamItem { id, item } => HubMessage::StreamItem { id, item },
        ClientMessage::Completion { id, outcome } => HubMessage::Completion { id, outcome },
        ClientMessage::Ping => HubMessage::Ping,
        ClientMessage::Close => HubMessage::Close(close(encoding, record)),
        ClientMessage::Ack(sequence) => HubMessage::Ack(sequence),
        ClientMessage::Sequence(sequence) => HubMessage::Sequence(sequence),
        ClientMessage::StreamInvocation(_)
        | ClientMessage::CancelInvocation { .. }
        | ClientMessage::Ignored => HubMessage::Ignored,
    })
}

/// Reads a close once more, for its reason. One without a readable reason still is a close.
fn close(encoding: Encoding, record: &[u8]) -> Close {
    match encoding {
        Encoding::Json => serde_json::from_slice(record).unwrap_or_default(),
        Encoding::MessagePack => {
            let value = rmpv::decode::read_value(&mut &*record).unwrap_or(Value::Nil);
            Close {
                error: value[1].as_str().map(str::to_owned),
                allow_reconnect: value[2].as_bool().unwrap_or_default(),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::{CompletionResult, Record};

    /// Reads what one side writes: its records, without separators and lengths.
    fn records(encoding: Encoding, written: &[Record]) -> Vec<Vec<u8>> {
        let bytes: Vec<u8> = written.iter().flat_map(|record| record.to_vec()).collect();
        let mut rest = bytes.as_slice();
        let mut records = Vec::new();
        while !rest.is_empty() {
            let (record, after) = crate::split::first(encoding, rest).unwrap();
            records.push(record.to_vec());
            rest = after;
        }
        records
    }

    #[test]
    fn a_client_reads_what_a_hub_writes() {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let written = [
                encoding.invocation(Some("7"), "ask", &("lobby", 1)),
                encoding.stream_item("s", &"x"),
                encoding.completion("1", &CompletionResult::Value(7)),
                encoding.completion::<()>("1", &CompletionResult::Void),
                encoding.completion::<()>("1", &CompletionResult::Error("no".into())),
                encoding.ping(),
                encoding.close(Some("no"), true),
                encoding.close(None, false),
                encoding.ack(3),
                encoding.sequence(4),
            ];

            let records = records(encoding, &written);
            let read: Vec<_> = records.iter().map(|record| read(encoding, record).unwrap()).collect();

            let completion = |outcome| HubMessage::Completion { id: "1".into(), outcome };
            assert_eq!(
                read,
                [
                    HubMessage::Invocation(Invocation {
                        id: Some("7".into()),
                        target: "ask".into(),
                        arguments: vec![r#""lobby""#.into(), "1".into()],
                        streams: vec![],
                    }),
                    HubMessage::StreamItem { id: "s".into(), item: r#""x""#.into() },
                    completion(Ok(Some("7".into()))),
                    completion(Ok(None)),
                    completion(Err("no".into())),
                    HubMessage::Ping,
                    HubMessage::Close(Close { error: Some("no".into()), allow_reconnect: true }),
                    HubMessage::Close(Close::default()),
                    HubMessage::Ack(3),
                    HubMessage::Sequence(4),
                ],
                "{encoding:?}"
            );
        }
    }

    #[test]
    fn a_hub_reads_what_a_client_writes() {
        for encoding in [Encoding::Json, Encoding::MessagePack] {
            let written = [
                encoding.invocation(Some("1"), "Join", &("lobby",)),
                encoding.completion("7", &CompletionResult::Value(true)),
                encoding.ping(),
            ];

            let records = records(encoding, &written);
            let read = |record: &Vec<u8>| match encoding {
                Encoding::Json => json::read(record).map(|message| format!("{message:?}")),
                Encoding::MessagePack => messagepack::read(record).map(|message| format!("{message:?}")),
            };

            let expected = [
                ClientMessage::Invocation(Invocation {
                    id: Some("1".into()),
                    target: "Join".into(),
                    arguments: vec![r#""lobby""#.into()],
                    streams: vec![],
                }),
                ClientMessage::Completion { id: "7".into(), outcome: Ok(Some("true".into())) },
                ClientMessage::Ping,
            ];
            let read: Vec<_> = records.iter().map(|record| read(record).unwrap()).collect();
            assert_eq!(read, expected.map(|message| format!("{message:?}")), "{encoding:?}");
        }
    }

    #[test]
    fn a_message_that_no_hub_sends_is_ignored_and_one_that_is_none_is_an_error() {
        assert_eq!(read(Encoding::Json, br#"{"type":5,"invocationId":"1"}"#), Ok(HubMessage::Ignored));
        assert!(read(Encoding::Json, b"hello").is_err());
        assert_eq!(read(Encoding::MessagePack, &[0x91, 7]), Ok(HubMessage::Close(Close::default())));
    }
}
