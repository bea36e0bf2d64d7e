//! Records that are not valid messages, in both encodings.

use signalr_client::Encoding;

use super::Bystanders;
use crate::support::HubProcess;
use crate::support::socket::{Socket, frame, op};

#[tokio::test]
async fn wrong_json_ends_its_sender_with_a_reason() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let deep = |open: &str| format!("{{\"type\":1,\"target\":\"Send\",\"arguments\":[{}", open.repeat(6_000));
    let records = [
        String::new(),
        " ".into(),
        "{\"type\":1e999}".into(),
        "{\"type\":-1}".into(),
        "{\"type\":1,\"target\":null,\"arguments\":[]}".into(),
        "{\"type\":1,\"target\":\"Send\",\"arguments\":{}}".into(),
        "{\"type\":1,\"target\":\"Send\",\"arguments\":[],\"streamIds\":[1]}".into(),
        "{\"type\":1,\"type\":1,\"target\":\"Send\",\"arguments\":[]}".into(),
        "{\"type\":4,\"target\":\"Watch\",\"arguments\":[]}".into(),
        "{\"type\":3}".into(),
        "{\"type\":8}".into(),
        "{\"type\":9,\"sequenceId\":-1}".into(),
        "{\"type\":6}{\"type\":6}".into(),
        "\u{feff}{\"type\":6}".into(),
        deep("["),
        deep("{\"a\":"),
    ];

    for record in records {
        let mut socket = Socket::shaken(hub.address(), Encoding::Json).await;
        socket.write(&frame(op::TEXT, format!("{record}\x1e").as_bytes())).await;

        let (said, code) = socket.farewell().await;

        let said = String::from_utf8_lossy(&said);
        let start: String = record.chars().take(80).collect();
        assert!(said.starts_with("{\"type\":7,\"error\":\"A message is malformed"), "{start}: {said}");
        assert_eq!(code, 1002, "{start}");
        bystanders.go_on(&hub).await;
    }
}

#[tokio::test]
async fn records_that_belong_to_no_call_are_ignored() {
    let hub = HubProcess::alone().await;
    let mut socket = Socket::shaken(hub.address(), Encoding::Json).await;
    let records = [
        // An item of a stream that was not announced, an answer to no call, the cancellation of nothing.
        "{\"type\":2,\"invocationId\":\"9\",\"item\":null}",
        "{\"type\":2,\"invocationId\":\"9\"}",
        "{\"type\":3,\"invocationId\":\"9\",\"result\":1}",
        "{\"type\":3,\"invocationId\":\"9\",\"error\":\"x\"}",
        "{\"type\":5,\"invocationId\":\"9\"}",
        "{\"type\":8,\"sequenceId\":18446744073709551615}",
        "{\"type\":99}",
        "{\"type\":6,\"headers\":{\"a\":\"b\"},\"more\":[]}",
    ];

    for record in records {
        socket.write(&frame(op::TEXT, format!("{record}\x1e").as_bytes())).await;
        let call = "{\"type\":1,\"invocationId\":\"c\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e";
        socket.write(&frame(op::TEXT, call.as_bytes())).await;

        let (_, answer) = socket.frame().await.unwrap_or_else(|| panic!("{record}"));
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.starts_with("{\"type\":3,\"invocationId\":\"c\""), "{record}: {answer}");
    }
    hub.has_not_panicked();
}

#[tokio::test]
async fn wrong_messagepack_ends_its_sender_with_a_reason() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let before = hub.memory();
    // The part of a call before its arguments: [1, {}, nil, "Send", …
    let call = |fields: u8, rest: &[u8]| [&[fields, 1, 0x80, 0xc0, 0xa4], &b"Send"[..], rest].concat();
    let cases: Vec<(&str, Vec<u8>, u16)> = vec![
        ("no array", record(&[0x06]), 1002),
        ("an empty array", record(&[0x90]), 1002),
        ("an empty record", record(&[]), 1002),
        ("something behind the end", record(&[0x91, 6, 6]), 1002),
        ("an end in the middle", record(&[0x96, 1, 0x80]), 1002),
        ("the byte that is never used", record(&[0xc1]), 1002),
        ("a type that is a text", record(&[0x91, 0xa1, b'6']), 1002),
        ("a type below zero", record(&[0x91, 0xff]), 1002),
        ("headers that are a list", record(&[0x93, 5, 0x90, 0xa1, b'1']), 1002),
        ("arguments that are a text", record(&call(0x95, &[0xa1, b'x'])), 1002),
        ("a target that is not UTF-8", record(&[0x95, 1, 0x80, 0xc0, 0xa1, 0xff, 0x90]), 1002),
        ("an argument that is not UTF-8", record(&call(0x95, &[0x91, 0xa1, 0xff])), 1002),
        ("an unknown extension", record(&call(0x95, &[0x91, 0xd4, 5, 0])), 1002),
        ("a timestamp that is none", record(&call(0x95, &[0x91, 0xd4, 0xff, 0])), 1002),
        ("a result of no kind", record(&[0x94, 3, 0x80, 0xa1, b'1', 9]), 1002),
        ("arrays without end", record(&[0x91; 30_000]), 1002),
        ("maps without end", record(&[0x81; 30_000]), 1002),
        ("deep arguments", record(&call(0x95, &[0x91; 30_000])), 1002),
        ("an array of 4 Gi", record(&[0xdd, 255, 255, 255, 255, 1]), 1002),
        ("arguments of 4 Gi", record(&call(0x95, &[0xdd, 255, 255, 255, 255])), 1002),
        ("a map of 4 Gi", record(&call(0x95, &[0x91, 0xdf, 255, 255, 255, 255])), 1002),
        ("a text of 4 Gi", record(&call(0x95, &[0x91, 0xdb, 255, 255, 255, 255])), 1002),
        ("bytes of 4 Gi", record(&call(0x95, &[0x91, 0xc6, 255, 255, 255, 255])), 1002),
        ("an extension of 4 Gi", record(&call(0x95, &[0x91, 0xc9, 255, 255, 255, 255, 1])), 1002),
        ("many arrays of 4 Gi", record(&call(0x95, &[0xdd, 255, 255, 255, 255].repeat(60))), 1002),
        ("a length of 2 GiB", vec![0xff, 0xff, 0xff, 0xff, 0x07, 0x91], 1009),
        ("a length without an end", vec![0xff; 6], 1002),
        ("a length of more than 32 bits", vec![0xff, 0xff, 0xff, 0xff, 0x7f], 1009),
        ("JSON", b"{\"type\":6}\x1e".to_vec(), 1002),
    ];

    for (name, bytes, expected) in cases {
        let mut socket = Socket::shaken(hub.address(), Encoding::MessagePack).await;
        socket.write(&frame(op::BINARY, &bytes)).await;
        if name == "JSON" {
            // The hub reads `{` as a length of 123 and waits for as many bytes.
            socket.write(&frame(op::BINARY, &[b' '; 123])).await;
        }

        let (said, code) = socket.farewell().await;

        // The close message begins with [7, error, …
        let said = said.get(1..).unwrap_or_default();
        assert!(matches!(said, [0x92 | 0x93, 7, ..]), "{name}: {said:?}");
        assert!(String::from_utf8_lossy(said).contains("A message is "), "{name}: {said:?}");
        assert_eq!(code, expected, "{name}");
        bystanders.go_on(&hub).await;
    }
    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "{grown} bytes");
}

#[tokio::test]
async fn values_that_not_every_encoding_can_express_end_no_connection() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let mut packed = Socket::shaken(hub.address(), Encoding::MessagePack).await;
    let mut sender = Socket::shaken(hub.address(), Encoding::Json).await;
    let deep = format!("{}{}", "[".repeat(500), "]".repeat(500));

    for value in ["1e999", "-1e999", r#""\ud800""#, &deep, "18446744073709551616", r#"{"a":1,"a":2}"#] {
        let call = format!(
            "{{\"type\":1,\"invocationId\":\"b\",\"target\":\"Broadcast\",\"arguments\":[\"note\",{value}]}}\x1e"
        );
        sender.write(&frame(op::TEXT, call.as_bytes())).await;
        // The sender may get its own broadcast before the answer.
        let mut heard = String::new();
        while !heard.contains("\"type\":3") {
            let (_, said) = sender.frame().await.unwrap_or_else(|| panic!("{value} ended its sender"));
            heard.push_str(&String::from_utf8_lossy(&said));
            assert!(!heard.contains("\"type\":7"), "{value}: {heard}");
        }
        bystanders.go_on(&hub).await;
    }

    let call = "{\"type\":1,\"target\":\"Broadcast\",\"arguments\":[\"note\",\"the last\"]}\x1e";
    sender.write(&frame(op::TEXT, call.as_bytes())).await;
    let mut heard = Vec::new();
    while !String::from_utf8_lossy(&heard).contains("the last") {
        heard.extend(packed.frame().await.expect("the client with MessagePack goes on").1);
    }
}

#[tokio::test]
async fn messagepack_may_come_in_pieces_of_any_size() {
    let hub = HubProcess::alone().await;
    let mut socket = Socket::shaken(hub.address(), Encoding::MessagePack).await;
    // This is [1, {}, "1", "Leave", ["lobby"]], without stream ids, as older clients send it.
    let call = record(&[&[0x95, 1, 0x80, 0xa1, b'1', 0xa5], &b"Leave"[..], &[0x91, 0xa5], b"lobby"].concat());

    for byte in &call {
        socket.write(&frame(op::BINARY, &[*byte])).await;
    }
    socket.write(&frame(op::BINARY, &[call.clone(), call].concat())).await;

    let mut heard = Vec::new();
    while String::from_utf8_lossy(&heard).matches('1').count() < 3 {
        let (operation, record) = socket.frame().await.expect("the hub answers");
        assert_eq!(operation, op::BINARY);
        heard.extend(record);
    }
    // The answer, [3, {}, "1", 3, nil] or [3, {}, "1", 2], comes three times.
    assert!(heard[1..].starts_with(&[heard[1], 3, 0x80, 0xa1, b'1']), "{heard:?}");
}

#[tokio::test]
async fn a_large_record_may_come_in_thousands_of_pieces() {
    let hub = HubProcess::alone_with(&["--max-message-bytes", "1000000"]).await;
    let mut bystanders = Bystanders::of(&hub).await;
    let mut socket = Socket::shaken(hub.address(), Encoding::MessagePack).await;
    let text = [&[0xdb][..], &900_000_u32.to_be_bytes(), &vec![b'x'; 900_000]].concat();
    let call = [&[0x95, 1, 0x80, 0xa1, b'1', 0xa5], &b"Leave"[..], &[0x91], &text].concat();

    for piece in record(&call).chunks(20) {
        socket.write(&frame(op::BINARY, piece)).await;
    }

    let (_, answer) = socket.frame().await.expect("the hub answers");
    assert!(String::from_utf8_lossy(&answer).contains("64 characters"), "the long name is not refused");
    bystanders.go_on(&hub).await;
}

/// A body with its length in front.
fn record(body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    let mut length = body.len();
    loop {
        let low = u8::try_from(length & 0x7f).expect("seven bits");
        length >>= 7;
        bytes.push(if length == 0 { low } else { low | 0x80 });
        if length == 0 {
            break;
        }
    }
    bytes.extend(body);
    bytes
}
