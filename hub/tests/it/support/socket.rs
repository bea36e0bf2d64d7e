//! Bytes as they go over the wire, for what no client sends: HTTP requests and WebSocket frames of any form.

use std::net::SocketAddr;
use std::time::Duration;

use signalr::client::handshake;
use signalr::client::negotiation::{connection_token, request_target};
use signalr_client::Encoding;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::within;

pub(crate) struct Socket {
    reader: OwnedReadHalf,
    /// `None` while something drips into it.
    writer: Option<OwnedWriteHalf>,
    read: Vec<u8>,
}

/// An answer to a request.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Response {
    /// The body, whatever way it was sent: a chunked one is put together.
    pub(crate) fn text(&self) -> String {
        let mut text = String::from_utf8_lossy(&self.body).into_owned();
        if self.head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
            let mut rest = std::mem::take(&mut text);
            while let Some((size, after)) = rest.split_once("\r\n") {
                let size = usize::from_str_radix(size, 16).expect("a chunk says its size");
                text.push_str(&after[..size]);
                rest = after[size..].trim_start_matches("\r\n").to_owned();
            }
        }
        text
    }
}

/// A frame of the hub: its operation and what it carries.
pub(crate) type Frame = (u8, Vec<u8>);

/// The operations of frames (RFC 6455, section 5.2).
pub(crate) mod op {
    pub(crate) const TEXT: u8 = 1;
    pub(crate) const BINARY: u8 = 2;
    pub(crate) const CLOSE: u8 = 8;
    pub(crate) const PING: u8 = 9;
}

impl Socket {
    pub(crate) async fn open(hub: SocketAddr) -> Self {
        let (reader, writer) = TcpStream::connect(hub).await.expect("the hub listens").into_split();
        Self { reader, writer: Some(writer), read: Vec::new() }
    }

    /// A WebSocket of the hub; `query` begins with a question mark, or is empty.
    pub(crate) async fn upgraded(hub: SocketAddr, query: &str) -> Self {
        let mut socket = Self::open(hub).await;
        socket.write(upgrade(query).as_bytes()).await;
        let head = socket.head().await;
        assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
        socket
    }

    /// A WebSocket whose handshake is done, and which was welcomed.
    pub(crate) async fn shaken(hub: SocketAddr, encoding: Encoding) -> Self {
        let mut socket = Self::upgraded(hub, "").await;
        socket.write(&frame(op::TEXT, &handshake::request(encoding))).await;
        let mut heard = Vec::new();
        while !heard.windows(7).any(|word| word == b"welcome") {
            heard.extend(socket.frame().await.expect("the hub welcomes").1);
        }
        assert!(heard.starts_with(b"{}\x1e"), "{}", String::from_utf8_lossy(&heard));
        socket
    }

    /// Sends bytes. A hub that has closed the connection need not read all of them.
    pub(crate) async fn write(&mut self, bytes: &[u8]) {
        let writer = self.writer.as_mut().expect("nothing drips into it");
        let _ = writer.write_all(bytes).await;
    }

    /// Writes this again and again, never so slowly that it seems to have stopped, until the hub has closed.
    pub(crate) fn drip(&mut self, bytes: Vec<u8>) {
        let mut writer = self.writer.take().expect("nothing drips into it");
        tokio::spawn(async move {
            while writer.write_all(&bytes).await.is_ok() {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }

    /// The head of an answer.
    pub(crate) async fn head(&mut self) -> String {
        loop {
            if let Some(end) = self.read.windows(4).position(|four| four == b"\r\n\r\n") {
                let head: Vec<u8> = self.read.drain(..end + 4).collect();
                return String::from_utf8(head).expect("a head is ASCII");
            }
            assert!(self.more().await, "the hub answers before it closes");
        }
    }

    /// All until the hub closes.
    pub(crate) async fn rest(&mut self) -> Vec<u8> {
        while self.more().await {}
        std::mem::take(&mut self.read)
    }

    /// The next frame, or `None` when the hub has closed.
    pub(crate) async fn frame(&mut self) -> Option<Frame> {
        let (head, length) = loop {
            let header = match *self.read.as_slice() {
                [_, 126, a, b, ..] => Some((4, usize::from(u16::from_be_bytes([a, b])))),
                [_, short @ 0..=125, ..] => Some((2, usize::from(short))),
                [_, 127, ..] if self.read.len() >= 10 => {
                    let length = self.read[2..10].try_into().map(u64::from_be_bytes).expect("eight bytes");
                    Some((10, usize::try_from(length).expect("it fits into memory")))
                }
                _ => None,
            };
            match header {
                Some((head, length)) if self.read.len() >= head + length => break (head, length),
                _ => {}
            }
            if !self.more().await {
                return None;
            }
        };
        let frame: Vec<u8> = self.read.drain(..head + length).collect();
        Some((frame[0] & 0xf, frame[head..].to_vec()))
    }

    /// Returns everything that the hub sends until it closes, and the code of the close. Fails without a
    /// close frame.
    pub(crate) async fn farewell(&mut self) -> (Vec<u8>, u16) {
        let mut said = Vec::new();
        loop {
            match self.frame().await {
                Some((op::CLOSE, payload)) => {
                    let code = payload.first_chunk().copied().map(u16::from_be_bytes);
                    return (said, code.expect("a close of the hub has a code"));
                }
                Some((_, payload)) => said.extend(payload),
                None => panic!("the hub goes without a close: {}", String::from_utf8_lossy(&said)),
            }
        }
    }

    /// Reads what comes. `false`: the hub has closed.
    async fn more(&mut self) -> bool {
        within("the hub answers or closes", self.reader.read_buf(&mut self.read)).await.is_ok_and(|n| n > 0)
    }
}

/// A request for a WebSocket.
pub(crate) fn upgrade(query: &str) -> String {
    format!(
        "GET /hub{query} HTTP/1.1\r\nHost: hub\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    )
}

/// A whole frame as clients have to send it: masked, though with a mask that changes nothing.
pub(crate) fn frame(operation: u8, payload: &[u8]) -> Vec<u8> {
    raw_frame(0x80 | operation, payload)
}

/// The second byte of a frame has this bit, and its length.
const MASKED: u8 = 0x80;

/// A masked frame that begins with this byte.
pub(crate) fn raw_frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![first];
    match payload.len() {
        short @ 0..=125 => frame.push(MASKED | u8::try_from(short).expect("it is short")),
        length => {
            frame.push(MASKED + 126);
            frame.extend(u16::try_from(length).expect("tests send less than 64 KiB at once").to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

/// A request of its own connection, and the answer to its end.
pub(crate) async fn request(hub: SocketAddr, method: &str, path: &str, body: &[u8]) -> Response {
    let mut socket = Socket::open(hub).await;
    let length = body.len();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    socket.write(head.as_bytes()).await;
    socket.write(body).await;
    let head = socket.head().await;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status is a number");
    Response { status, head, body: socket.rest().await }
}

/// A connection's token, as a negotiation gives it.
pub(crate) async fn negotiate(hub: SocketAddr) -> String {
    let response = request(hub, "POST", &request_target("/hub"), b"").await;
    connection_token(&response.body).unwrap_or_else(|| panic!("{}", response.text()))
}
