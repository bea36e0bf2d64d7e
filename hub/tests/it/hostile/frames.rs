//! WebSocket frames that RFC 6455 forbids, and its close codes for them (section 7.4.1).

use signalr_client::Encoding;

use super::Bystanders;
use crate::support::HubProcess;
use crate::support::socket::{Socket, frame, op, raw_frame};

/// The close code of a frame that breaks the protocol.
const PROTOCOL: u16 = 1002;
/// The close code of a text that is not UTF-8.
const NOT_TEXT: u16 = 1007;
/// The close code of a message that is too large.
const TOO_LARGE: u16 = 1009;

/// The final bit, unset, of a frame that more frames of its message follow.
const FIRST: u8 = 0;

#[tokio::test]
async fn wrong_frames_end_their_sender_with_the_right_code() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let unmasked = |text: &[u8]| [&[0x80 | op::TEXT, u8::try_from(text.len()).unwrap()], text].concat();
    // Enough of the content to exceed the limit.
    let lengths = |bytes: [u8; 8]| [&[0x80 | op::TEXT, 0x80 | 127][..], &bytes, &vec![0; 40_000]].concat();
    let cases: [(&str, Vec<u8>, &[u16]); 19] = [
        ("not masked", unmasked(b"{\"type\":6}\x1e"), &[PROTOCOL]),
        ("reserved bit 1", raw_frame(0xc0 | op::TEXT, b"x"), &[PROTOCOL]),
        ("reserved bit 2", raw_frame(0xa0 | op::TEXT, b"x"), &[PROTOCOL]),
        ("reserved bit 3", raw_frame(0x90 | op::TEXT, b"x"), &[PROTOCOL]),
        ("reserved operation", frame(3, b"x"), &[PROTOCOL]),
        ("reserved control operation", frame(11, b"x"), &[PROTOCOL]),
        ("a ping in parts", raw_frame(FIRST | op::PING, b"x"), &[PROTOCOL]),
        ("a long ping", frame(op::PING, &[0; 126]), &[PROTOCOL]),
        ("a continuation of nothing", frame(0, b"x"), &[PROTOCOL]),
        (
            "a message within another",
            [raw_frame(FIRST | op::TEXT, b"{"), frame(op::TEXT, b"}")].concat(),
            &[PROTOCOL],
        ),
        ("a text that is not UTF-8", frame(op::TEXT, b"\xff\xfe\x1e"), &[NOT_TEXT]),
        ("half a character at the end", frame(op::TEXT, b"{\"type\":6}\x1e\xc3"), &[NOT_TEXT]),
        (
            "a text that is not UTF-8 in a field that is ignored",
            frame(op::TEXT, b"{\"type\":6,\"x\":\"\xff\"}\x1e"),
            &[NOT_TEXT],
        ),
        (
            "a text whose parts together are not UTF-8",
            [raw_frame(FIRST | op::TEXT, b"\xf0\x9f"), frame(0, b"{}\x1e")].concat(),
            &[NOT_TEXT],
        ),
        ("a close of one byte", frame(op::CLOSE, &[3]), &[PROTOCOL]),
        ("a close with a forbidden code", frame(op::CLOSE, &1005_u16.to_be_bytes()), &[PROTOCOL]),
        ("a close whose reason is not UTF-8", frame(op::CLOSE, b"\x03\xe8\xff"), &[PROTOCOL, NOT_TEXT]),
        ("a length of 8 EiB", lengths([0x7f, 255, 255, 255, 255, 255, 255, 255]), &[TOO_LARGE]),
        ("a length with a sign", lengths([255; 8]), &[PROTOCOL, TOO_LARGE]),
    ];

    for (name, bytes, codes) in cases {
        let mut socket = Socket::shaken(hub.address(), Encoding::Json).await;
        socket.write(&bytes).await;

        let (said, code) = socket.farewell().await;

        assert!(codes.contains(&code), "{name}: {code}, {}", String::from_utf8_lossy(&said));
        bystanders.go_on(&hub).await;
    }
}

#[tokio::test]
async fn rare_but_valid_frames_are_understood() {
    let hub = HubProcess::alone().await;
    let mut socket = Socket::shaken(hub.address(), Encoding::Json).await;
    let call =
        "{\"type\":1,\"invocationId\":\"ü\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e".as_bytes();

    // The call comes in frames of one byte, which cut the ü in two, with empty ones and a ping between them.
    socket.write(&raw_frame(FIRST | op::TEXT, b"")).await;
    for byte in call {
        socket.write(&raw_frame(FIRST, &[*byte])).await;
    }
    socket.write(&frame(op::PING, b"are you there")).await;
    socket.write(&frame(0, b"")).await;

    assert_eq!(socket.frame().await, Some((10, b"are you there".to_vec())), "the pong is missing");
    let (operation, record) = socket.frame().await.unwrap();
    assert_eq!(operation, op::TEXT);
    assert!(record.starts_with("{\"type\":3,\"invocationId\":\"ü\"".as_bytes()));

    // JSON in a binary frame is accepted, too.
    socket.write(&frame(op::BINARY, call)).await;
    assert_eq!(socket.frame().await, Some((op::TEXT, record)));

    socket.write(&frame(op::CLOSE, &[&1000_u16.to_be_bytes()[..], b"bye"].concat())).await;
    assert_eq!(socket.farewell().await, (vec![], 1000));
}

#[tokio::test]
async fn a_message_that_is_too_large_is_not_buffered() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let before = hub.memory();
    let part = vec![b' '; 60_000];

    for _ in 0..20 {
        let mut socket = Socket::shaken(hub.address(), Encoding::Json).await;
        socket.write(&raw_frame(FIRST | op::TEXT, &part)).await;
        for _ in 0..200 {
            socket.write(&raw_frame(FIRST, &part)).await;
        }
        let (said, code) = socket.farewell().await;
        assert_eq!(code, TOO_LARGE);
        assert!(String::from_utf8_lossy(&said).contains("larger than 32768 bytes"));
    }

    bystanders.go_on(&hub).await;
    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "of 240 MB that were sent, {grown} bytes are kept");
}
