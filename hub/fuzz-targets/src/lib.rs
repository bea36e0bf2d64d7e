//! Properties that hold for any bytes of a client. libFuzzer tests them through `../fuzz/fuzz_targets/`, and
//! `../tests/fuzz/` with random changes of the corpus.

#![allow(clippy::missing_panics_doc)] // a panic reports that a property does not hold

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use chatcluster_hub::protocol::frame::{self, Decoder, FrameError, FrameEvent, Opcode};
use chatcluster_hub::token::{ConnectionId, LEAST_KEY, Owner, Signer, Token};
use serde_json::Value;
use signalr::encoding::Encoding;
use signalr::error::ProtocolError;
use signalr::framing::Framer;
use signalr::message::{ClientMessage, Invocation};
use signalr::record::{CompletionResult, JsonText, Record};
use signalr::{handshake, json, messagepack};

/// The limit for the size of a record here, in bytes.
const MOST_BYTES: usize = 4096;

/// Handshakes: the first record is understood, or refused with a reason that fits into one record.
pub fn handshake(data: &[u8]) {
    if let Err(error) = handshake::read(data) {
        let refusal = handshake::refused(&error);
        let record = only(&refusal, Encoding::Json);
        let value: Value = serde_json::from_slice(&record).expect("a refusal is JSON");
        assert!(value["error"].as_str().is_some_and(|words| words.len() < 512), "{value}");
    }
}

/// Records of a client that speaks JSON.
pub fn json(data: &[u8]) {
    records(data, Encoding::Json);
}

/// Records of a client that speaks `MessagePack`.
pub fn messagepack(data: &[u8]) {
    records(data, Encoding::MessagePack);
}

/// WebSocket frames: the first byte sets the size of the pieces in which the others arrive, which makes no
/// difference, and the content that a client sends arrives unchanged.
pub fn frames(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let whole = events(data, data.len());
    assert_eq!(whole, events(data, usize::from(size)), "the size of the pieces makes a difference");

    let sent = masked(data, size);
    let (events, error) = events(&sent, usize::from(size) + 1);
    let expected = if data.is_empty() { vec![] } else { vec![FrameEvent::Data(data.to_vec())] };
    assert_eq!((events, error), (expected, None));
}

/// The events before the first error, with adjacent data joined, and that error.
fn events(data: &[u8], size: usize) -> (Vec<FrameEvent>, Option<FrameError>) {
    let mut decoder = Decoder::default();
    let mut events: Vec<FrameEvent> = Vec::new();
    for portion in data.chunks(size.max(1)) {
        let fed = decoder.feed(portion, |event| match (events.last_mut(), event) {
            (Some(FrameEvent::Data(all)), FrameEvent::Data(more)) => all.extend(more),
            (_, event) => events.push(event),
        });
        if let Err(error) = fed {
            return (events, Some(error));
        }
    }
    (events, None)
}

/// A frame with this content, masked as a client has to.
fn masked(content: &[u8], seed: u8) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::put_head(&mut frame, Opcode::Binary, content.len());
    frame[1] |= 0x80;
    let mask = [seed, !seed, seed.rotate_left(3), 0];
    frame.extend(mask);
    frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Connection tokens: only a signed token is accepted, and it is read as it was signed.
pub fn token(data: &[u8]) {
    let signer = Signer::new(&[7; LEAST_KEY]);
    if let Some(token) = std::str::from_utf8(data).ok().and_then(|text| signer.read(text)) {
        assert_eq!(signer.sign(&token).as_bytes(), data, "a token has two spellings");
    }
    let mut bytes = data.iter().copied().chain(std::iter::repeat(0));
    let mut next = || bytes.next().unwrap_or_default();
    let ip = if next() % 2 == 0 {
        IpAddr::from(std::array::from_fn::<_, 4, _>(|_| next()))
    } else {
        IpAddr::from(std::array::from_fn::<_, 16, _>(|_| next()))
    };
    let token = Token {
        id: ConnectionId::random(),
        owner: Owner {
            address: SocketAddr::new(ip, u16::from_be_bytes([next(), next()])),
            instance: u32::from_be_bytes(std::array::from_fn(|_| next())),
        },
        issued: Duration::from_secs(u64::from_be_bytes(std::array::from_fn(|_| next()))),
        stateful: next() % 2 == 0,
    };
    let text = signer.sign(&token);
    assert_eq!(signer.read(&text), Some(token));
    assert_eq!(Signer::new(&[8; LEAST_KEY]).read(&text), None);
}

/// Records: the first byte sets the size of the pieces in which the others arrive, which makes no difference.
fn records(data: &[u8], encoding: Encoding) {
    let Some((&size, data)) = data.split_first() else { return };
    let whole = cut(data, encoding, data.len(), MOST_BYTES);
    let pieces = cut(data, encoding, usize::from(size), MOST_BYTES);
    assert_eq!(whole.is_ok(), pieces.is_ok(), "the size of the pieces makes a difference");
    let Ok(records) = whole else { return };
    assert_eq!(Ok(&records), pieces.as_ref(), "the size of the pieces makes a difference");
    for record in records {
        match read(&record, encoding) {
            Ok(message) => again(&message),
            Err(error) => {
                assert!(error.to_string().len() < 256, "an error repeats its input: {error}");
            }
        }
    }
}

/// The records of data that arrives in pieces of this size.
fn cut(data: &[u8], encoding: Encoding, size: usize, most_bytes: usize) -> Result<Vec<Bytes>, ProtocolError> {
    let mut framer = Framer::new(most_bytes);
    framer.set_encoding(encoding);
    let mut records = Vec::new();
    for piece in data.chunks(size.max(1)) {
        framer.feed(Bytes::copy_from_slice(piece));
        while let Some(record) = framer.next_record()? {
            assert!(record.len() <= most_bytes, "{} bytes", record.len());
            records.push(record);
        }
    }
    Ok(records)
}

fn read(record: &[u8], encoding: Encoding) -> Result<ClientMessage<'_>, ProtocolError> {
    match encoding {
        Encoding::Json => json::read(record),
        Encoding::MessagePack => messagepack::read(record),
    }
}

/// The only record in the hub's own output.
fn only(said: &Record, encoding: Encoding) -> Bytes {
    let records = cut(said, encoding, said.len(), said.len()).expect("the hub's own record has an end");
    let [record] = &records[..] else { panic!("{} records", records.len()) };
    record.clone()
}

/// Asserts that a client's message can be written in either encoding, and keeps its meaning.
fn again(message: &ClientMessage<'_>) {
    let Some(plain) = plain(message) else { return };
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let Some(said) = say(message, encoding) else { return };
        let record = only(&said, encoding);
        let understood = read(&record, encoding).expect("the hub's own record can be read");
        assert_eq!(self::plain(&understood).as_ref(), Some(&plain), "{encoding:?}");
    }
}

/// Writes a message as the hub does, if it is one that clients send in the same form. The hub announces no
/// streams and cancels nothing.
fn say(message: &ClientMessage<'_>, encoding: Encoding) -> Option<Record> {
    Some(match message {
        ClientMessage::Invocation(Invocation { id, target, arguments, streams }) if streams.is_empty() => {
            let arguments: Vec<_> = arguments.iter().map(|text| JsonText(text)).collect();
            encoding.invocation(id.as_deref(), target, &arguments)
        }
        ClientMessage::StreamItem { id, item } => encoding.stream_item(id, &JsonText(item)),
        ClientMessage::Completion { id, outcome } => {
            let outcome = match outcome {
                Ok(None) => CompletionResult::Void,
                Ok(Some(result)) => CompletionResult::Value(JsonText(result)),
                Err(error) => CompletionResult::Error(error.clone().into_owned()),
            };
            encoding.completion(id, &outcome)
        }
        ClientMessage::Ping => encoding.ping(),
        ClientMessage::Close => encoding.close(None, false),
        ClientMessage::Ack(sequence) => encoding.ack(*sequence),
        ClientMessage::Sequence(sequence) => encoding.sequence(*sequence),
        _ => return None,
    })
}

/// A message with its values in a canonical spelling. `None` if not every encoding can express a value: half
/// a surrogate pair, a number out of range, a value that is nested too deeply.
fn plain(message: &ClientMessage<'_>) -> Option<String> {
    let value = |text: &str| {
        let value: Value = serde_json::from_str(text).ok()?;
        (depth(&value) < 60).then_some(value)
    };
    Some(match message {
        ClientMessage::Invocation(call) | ClientMessage::StreamInvocation(call) => {
            let arguments: Option<Vec<_>> = call.arguments.iter().map(|text| value(text)).collect();
            format!("{:?} {} {:?} {:?}", call.id, call.target, arguments?, call.streams)
        }
        ClientMessage::StreamItem { id, item } => format!("{id} {}", value(item)?),
        // In JSON, a result of null and no result are the same.
        ClientMessage::Completion { id, outcome: Ok(result) } => {
            format!("{id} {}", value(result.as_deref().unwrap_or("null"))?)
        }
        other => format!("{other:?}"),
    })
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(depth).max().unwrap_or_default(),
        Value::Object(values) => 1 + values.values().map(depth).max().unwrap_or_default(),
        _ => 0,
    }
}
