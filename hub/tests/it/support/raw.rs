//! A bare WebSocket, for data that the real client never sends.

use std::net::SocketAddr;

use futures::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

use super::within;

pub(crate) struct RawClient {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    records: Vec<String>,
}

impl RawClient {
    pub(crate) async fn open(hub: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{hub}/hub")).await.expect("the WebSocket opens");
        Self { socket, records: Vec::new() }
    }

    /// A client that has shaken hands and was welcomed.
    pub(crate) async fn shaken(hub: SocketAddr) -> Self {
        let mut client = Self::open(hub).await;
        client.write("{\"protocol\":\"json\",\"version\":1}\x1e").await;
        assert_eq!(client.record().await, "{}");
        assert!(client.record().await.contains("\"welcome\""));
        client
    }

    pub(crate) async fn join(hub: SocketAddr, room: &str) -> Self {
        let mut client = Self::shaken(hub).await;
        let join = r#"{"type":1,"invocationId":"j","target":"Join","arguments":["#;
        client.write(&format!("{join}\"{room}\"]}}\x1e")).await;
        assert!(client.record().await.contains("\"invocationId\":\"j\",\"result\""));
        client
    }

    /// Sends this text as one WebSocket message.
    pub(crate) async fn write(&mut self, text: &str) {
        // An error means that the hub has closed, which the next read shows.
        let _ = self.socket.send(Message::text(text)).await;
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
    pub(crate) async fn rest(&mut self) -> (Vec<String>, Option<CloseCode>) {
        let mut rest = Vec::new();
        loop {
            match self.next().await {
                Ok(record) => rest.push(record),
                Err(code) => return (rest, code),
            }
        }
    }

    async fn next(&mut self) -> Result<String, Option<CloseCode>> {
        while self.records.is_empty() {
            let message = within("the hub sends something", self.socket.next()).await;
            match message {
                Some(Ok(Message::Text(text))) => {
                    let text = text.strip_suffix('\x1e').expect("a frame ends with a whole record");
                    self.records = text.split('\x1e').rev().map(str::to_owned).collect();
                }
                Some(Ok(Message::Close(frame))) => return Err(frame.map(|frame| frame.code)),
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Err(None),
            }
        }
        Ok(self.records.pop().expect("there is a record"))
    }
}
