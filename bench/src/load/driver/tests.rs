//! A member against a server that the test plays itself: bytes in pieces, refusals and pings.

use super::super::dialect::Wire;
use super::*;
use crate::websocket::Opcode;
use signalr::encoding::Encoding;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};

#[derive(Default)]
struct Heard(Vec<String>);

impl Load for Heard {
    fn record(&mut self, _: usize, record: &[u8], _: u64) {
        self.0.push(String::from_utf8_lossy(record).into_owned());
    }
    fn between(&mut self, _: &mut Driver) -> Result<()> {
        Ok(())
    }
}

/// A driver with one member, and the server's end of its connection.
fn connected(listener: &TcpListener) -> (Driver, TcpStream) {
    let node = listener.local_addr().unwrap();
    let mut driver =
        Driver::new(&[node], vec![Dialect::new(Wire::SignalR(Encoding::Json), "lobby", 32)]).unwrap();
    driver.dial().unwrap();
    let (server, _) = listener.accept().unwrap();
    server.set_nodelay(true).unwrap();
    (driver, server)
}

/// Handles events until this holds.
fn until(driver: &mut Driver, heard: &mut Heard, done: impl Fn(&Driver, &Heard) -> bool) {
    let patience = Instant::now() + Duration::from_mins(1);
    while !done(driver, heard) {
        assert!(Instant::now() < patience, "heard {:?}, {:?}", heard.0, driver.why);
        driver.poll(Duration::from_millis(100), heard).unwrap();
    }
}

fn frame(head: u8, payload: &str) -> Vec<u8> {
    let length = u16::try_from(payload.len()).unwrap();
    let mut frame = vec![head];
    if let Some(short) = u8::try_from(length).ok().filter(|&l| l < 126) {
        frame.push(short);
    } else {
        frame.push(126);
        frame.extend(length.to_be_bytes());
    }
    [frame, payload.as_bytes().to_vec()].concat()
}

#[test]
fn a_member_gets_the_same_records_wherever_the_stream_is_cut() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let long = "x".repeat(200);
    let stream = [
        websocket::response(),
        frame(0x81, "{}\x1e{\"type\":6}\x1e"),
        frame(0x81, "{\"type\":3,\"invocationId\":\"1\",\"result\":{}}\x1eearly\x1e"),
        frame(0x81, &format!("{long}\x1eand\x1e")),
        frame(0x01, "in two "),
        frame(0x89, "ping"),
        frame(0x80, "frames\x1e"),
    ]
    .concat();

    for cut in 1..stream.len() {
        let (mut driver, mut server) = connected(&listener);
        let mut heard = Heard::default();
        server.write_all(&stream[..cut]).unwrap();
        until(&mut driver, &mut heard, |driver, _| driver.counts.reads > 0);
        server.write_all(&stream[cut..]).unwrap();
        until(&mut driver, &mut heard, |_, heard| heard.0.len() >= 4);

        assert_eq!(heard.0, ["early", &long, "and", "in two frames"], "cut at {cut}");
        assert_eq!((driver.closed, driver.joining), (0, 0));
    }
}

#[test]
fn who_is_closed_or_refused_says_why() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let upgraded = |rest: Vec<u8>| [websocket::response(), rest].concat();
    for (answer, why) in [
        (b"HTTP/1.1 503 Service Unavailable\r\n\r\n".to_vec(), "HTTP/1.1 503 Service Unavailable"),
        (upgraded(frame(0x81, "{\"error\":\"no\"}\x1e")), "refused: {\"error\":\"no\"}"),
        (upgraded(frame(0x88, "\x03\u{10}bye")), "closed by the server: bye"),
        (upgraded(frame(0x81, "half a record")), "its last record has no end."),
    ] {
        let (mut driver, mut server) = connected(&listener);
        server.write_all(&answer).unwrap();
        until(&mut driver, &mut Heard::default(), |driver, _| driver.closed == 1);

        let said = driver.why.unwrap();
        assert!(said.ends_with(why), "{said}");
    }
}

#[test]
fn a_ping_is_answered() {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let (mut driver, mut server) = connected(&listener);
    server.write_all(&[websocket::response(), frame(0x89, "you?")].concat()).unwrap();
    until(&mut driver, &mut Heard::default(), |driver, _| driver.counts.reads > 0);
    drop(driver);

    let mut said = Vec::new();
    // The driver may end while bytes are unread, which resets the connection.
    let _ = server.read_to_end(&mut said);
    let mut pong = Vec::new();
    websocket::put_masked(&mut pong, Opcode::Pong, b"you?");
    assert!(said.ends_with(&pong));
}
