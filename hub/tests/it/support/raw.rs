//! A WebSocket of records, for data that the real client never sends.

use std::net::SocketAddr;

use bytes::Bytes;
use signalr::client::handshake;
use signalr_client::{Encoding, Endpoint, Error, Socket};
use tokio::net::TcpStream;

use super::within;

pub(crate) struct RawClient {
    socket: Socket<TcpStream>,
}

impl RawClient {
    pub(crate) async fn open(hub: SocketAddr) -> Self {
        let stream = TcpStream::connect(hub).await.expect("the hub listens");
        let endpoint = Endpoint::new(hub.to_string(), "/hub");
        let socket = Socket::open(stream, &endpoint, None).await.expect("the WebSocket opens");
        Self { socket }
    }

    /// A client that has shaken hands and was welcomed.
    pub(crate) async fn shaken(hub: SocketAddr) -> Self {
        let mut client = Self::open(hub).await;
        client.send(handshake::request(Encoding::Json).into_bytes()).await;
        assert_eq!(client.record().await, "{}");
        assert!(client.record().await.contains("\"welcome\""));
        client
    }

    pub(crate) async fn join(hub: SocketAddr, room: &str) -> Self {
        let mut client = Self::shaken(hub).await;
        client.send(Encoding::Json.invocation(Some("j"), "Join", &[room]).into_bytes()).await;
        assert!(client.record().await.contains("\"invocationId\":\"j\",\"result\""));
        client
    }

    /// Sends this text as one WebSocket message.
    pub(crate) async fn write(&mut self, text: &str) {
        self.send(Bytes::copy_from_slice(text.as_bytes())).await;
    }

    async fn send(&mut self, message: Bytes) {
        // An error means that the hub has closed, which the next read shows.
        let _ = self.socket.send(message).await;
    }

    /// The next record that is not a ping, without its separator.
    pub(crate) async fn record(&mut self) -> String {
        loop {
            let record = self.next().await.expect("the hub sends a record before it closes");
            if record != "{\"type\":6}" {
                return record;
            }
        }
    }

    /// The next record, or `None` when the hub has closed.
    pub(crate) async fn try_record(&mut self) -> Option<String> {
        self.next().await.ok()
    }

    /// All records until the hub closes, and its close code, if it sends one.
    pub(crate) async fn rest(&mut self) -> (Vec<String>, Option<u16>) {
        let mut rest = Vec::new();
        loop {
            match self.next().await {
                Ok(record) => rest.push(record),
                Err(Error::Closed { code, .. }) => return (rest, code),
                Err(_) => return (rest, None),
            }
        }
    }

    async fn next(&mut self) -> Result<String, Error> {
        let record = within("the hub sends something", self.socket.next()).await?;
        Ok(String::from_utf8(record.to_vec()).expect("JSON is UTF-8"))
    }
}
