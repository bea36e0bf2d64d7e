//! Rules that hold for any bytes of a client. libFuzzer drives these by `../fuzz/fuzz_targets/`, and
//! `../tests/fuzz/` with bytes that it makes of the corpus.

#![allow(clippy::missing_panics_doc)] // a panic is how a target says that a rule does not hold

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use bytes::Bytes;
use chatcluster_hub::protocol::frame::{self, Decoder, Event, Fault, Opcode};
use chatcluster_hub::token::{ConnectionId, LEAST_KEY, Owner, Signer, Token};
use serde_json::Value;
use signalr::encoding::Encoding;
use signalr::error::ProtocolError;
use signalr::framing::Framer;
use signalr::message::{ClientMessage, Invocation};
use signalr::record::{JsonText, Outcome, Record};
use signalr::{handshake, json, messagepack};

/// The most bytes that a record may have here.
const MOST_BYTES: usize = 4096;

/// The first record: it is understood, or refused with words that fit into one record.
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

/// WebSocket frames: the first byte says in what portions the others arrive, which makes no difference; and what a client sends
/// arrives as it was.
pub fn frames(data: &[u8]) {
    let Some((&size, data)) = data.split_first() else { return };
    let whole = events(data, data.len());
    assert_eq!(whole, events(data, usize::from(size)), "the portions make no difference");

    let sent = masked(data, size);
    let (events, fault) = events(&sent, usize::from(size) + 1);
    let expected = if data.is_empty() { vec![] } else { vec![Event::Data(data.to_vec())] };
    assert_eq!((events, fault), (expected, None));
}

/// What is read before the first fault, neighbouring data joined.
fn events(data: &[u8], size: usize) -> (Vec<Event>, Option<Fault>) {
    let mut decoder = Decoder::default();
    let mut events: Vec<Event> = Vec::new();
    for portion in data.chunks(size.max(1)) {
        let fed = decoder.feed(portion, |event| match (events.last_mut(), event) {
            (Some(Event::Data(all)), Event::Data(more)) => all.extend(more),
            (_, event) => events.push(event),
        });
        if let Err(fault) = fed {
            return (events, Some(fault));
        }
    }
    (events, None)
}

/// A frame of a client with this content.
fn masked(content: &[u8], seed: u8) -> Vec<u8> {
    let mut frame = Vec::new();
    frame::put_head(&mut frame, Opcode::Binary, content.len());
    frame[1] |= 0x80;
    let mask = [seed, !seed, seed.rotate_left(3), 0];
    frame.extend(mask);
    frame.extend(content.iter().zip(mask.iter().cycle()).map(|(byte, key)| byte ^ key));
    frame
}

/// Connection tokens: nothing is one but what was signed, and that is read as it was.
pub fn token(data: &[u8]) {
    let signer = Signer::new(&[7; LEAST_KEY]);
    if let Some(token) = std::str::from_utf8(data).ok().and_then(|text| signer.read(text)) {
        assert_eq!(signer.sign(&token).as_bytes(), data, "a token has one spelling");
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

/// The first byte says in what pieces the others arrive.
fn records(data: &[u8], encoding: Encoding) {
    let Some((&size, data)) = data.split_first() else { return };
    let whole = cut(data, encoding, data.len(), MOST_BYTES);
    let pieces = cut(data, encoding, usize::from(size), MOST_BYTES);
    assert_eq!(whole.is_ok(), pieces.is_ok(), "the pieces make no difference");
    let Ok(records) = whole else { return };
    assert_eq!(Ok(&records), pieces.as_ref(), "the pieces make no difference");
    for record in records {
        match read(&record, encoding) {
            Ok(message) => again(&message),
            Err(error) => {
                assert!(error.to_string().len() < 256, "an error does not repeat what was sent: {error}");
            }
        }
    }
}

/// The records of what arrives in pieces of this size.
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

/// The one record that the hub says.
fn only(said: &Record, encoding: Encoding) -> Bytes {
    let records = cut(said, encoding, said.len(), said.len()).expect("the hub's own record has an end");
    let [record] = &records[..] else { panic!("{} records", records.len()) };
    record.clone()
}

/// What a client said can be said to others, in either encoding, and they understand the same.
fn again(message: &ClientMessage<'_>) {
    let Some(plain) = plain(message) else { return };
    for encoding in [Encoding::Json, Encoding::MessagePack] {
        let Some(said) = say(message, encoding) else { return };
        let record = only(&said, encoding);
        let understood = read(&record, encoding).expect("the hub's own record can be read");
        assert_eq!(self::plain(&understood).as_ref(), Some(&plain), "{encoding:?}");
    }
}

/// What the hub says to its clients as they say it to the hub; it announces no streams and cancels nothing.
fn say(message: &ClientMessage<'_>, encoding: Encoding) -> Option<Record> {
    Some(match message {
        ClientMessage::Invocation(Invocation { id, target, arguments, streams }) if streams.is_empty() => {
            let arguments: Vec<_> = arguments.iter().map(|text| JsonText(text)).collect();
            encoding.invocation(id.as_deref(), target, &arguments)
        }
        ClientMessage::StreamItem { id, item } => encoding.stream_item(id, &JsonText(item)),
        ClientMessage::Completion { id, outcome } => {
            let outcome = match outcome {
                Ok(None) => Outcome::Done,
                Ok(Some(result)) => Outcome::Gave(JsonText(result)),
                Err(error) => Outcome::Failed(error.clone().into_owned()),
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

/// A message with its values in one spelling, or `None` if one of them is none in every encoding: half a surrogate pair, a
/// number beyond all bounds, one that is nested too deeply.
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
        // No result and none that is there are one to JSON.
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
