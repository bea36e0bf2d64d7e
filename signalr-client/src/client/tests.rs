//! A client against hubs that the tests play themselves, in both encodings.

use std::time::Duration;

use bytes::Bytes;
use futures::{SinkExt as _, StreamExt as _};
use serde_json::json;
use signalr::handshake::{self, ACCEPTED, HandshakeError, refused};
use signalr::message::{ClientMessage, Invocation};
use tokio::io::DuplexStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{WebSocketStream, accept_async};

use super::*;

const ENCODINGS: [Encoding; 2] = [Encoding::Json, Encoding::MessagePack];

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

/// The hub's end of a connection.
struct Hub {
    socket: WebSocketStream<DuplexStream>,
    encoding: Encoding,
}

impl Hub {
    async fn send(&mut self, record: &[u8]) {
        let message = match self.encoding {
            Encoding::Json => Message::text(String::from_utf8(record.to_vec()).unwrap()),
            Encoding::MessagePack => Message::binary(record.to_vec()),
        };
        self.socket.send(message).await.unwrap();
    }

    /// The client's next message, without its separator or length.
    async fn record(&mut self) -> Vec<u8> {
        let message = self.socket.next().await.unwrap().unwrap().into_data();
        let (record, rest) = signalr::split::first(self.encoding, &message).unwrap();
        assert!(rest.is_empty());
        record.to_vec()
    }
}

/// Plays a hub that accepts any handshake, and connects to it.
async fn connected(encoding: Encoding) -> (Client, Hub) {
    let (near, far) = tokio::io::duplex(4096);
    let hub = tokio::spawn(async move {
        let mut hub = Hub { socket: accept_async(far).await.unwrap(), encoding: Encoding::Json };
        assert_eq!(handshake::read(&hub.record().await), Ok(encoding));
        hub.send(ACCEPTED).await;
        Hub { encoding, ..hub }
    });
    let client = Client::connect(near, &Endpoint::new("chat", "/hub"), Some("abc"), encoding, soon()).await;
    (client.unwrap(), hub.await.unwrap())
}

#[tokio::test]
async fn an_invocation_gives_its_result_and_calls_meanwhile_are_kept() {
    for encoding in ENCODINGS {
        let (mut client, mut hub) = connected(encoding).await;
        let hub = tokio::spawn(async move {
            let record = hub.record().await;
            let message = match encoding {
                Encoding::Json => signalr::json::read(&record),
                Encoding::MessagePack => signalr::messagepack::read(&record),
            };
            let join = Invocation {
                id: Some("1".into()),
                target: "Join".into(),
                arguments: vec![r#""lobby""#.into()],
                streams: vec![],
            };
            assert_eq!(message, Ok(ClientMessage::Invocation(join)));
            hub.send(&encoding.ping()).await;
            hub.send(&encoding.invocation(None, "welcome", &[json!({"pod": "a"})])).await;
            hub.send(&encoding.completion("0", &CompletionResult::Value("not waited for"))).await;
            hub.send(&encoding.completion("1", &CompletionResult::Value(json!({"room": "lobby"})))).await;
            hub
        });

        let result = client.invoke("Join", &("lobby",), soon()).await;

        assert_eq!(result, Ok(Some(json!({"room": "lobby"}))), "{encoding:?}");
        assert!(client.was_called("welcome"));
        let call = client.call(soon(), |call| call.target == "welcome").await.unwrap();
        assert_eq!(call.arguments, [json!({"pod": "a"})]);
        assert!(!client.was_called("welcome"));
        drop(hub.await);
    }
}

#[tokio::test]
async fn a_failed_invocation_says_which_and_why() {
    let (mut client, mut hub) = connected(Encoding::Json).await;
    hub.send(&Encoding::Json.completion::<()>("1", &CompletionResult::Error("no such room".into()))).await;

    let error = client.invoke("Join", &("attic",), soon()).await.unwrap_err();

    assert_eq!(error.to_string(), "Join failed: no such room");
}

#[tokio::test]
async fn a_deadline_names_what_was_waited_for_and_ends_nothing() {
    let (mut client, mut hub) = connected(Encoding::Json).await;

    let late = client.invoke("Join", &("lobby",), Instant::now()).await;

    assert_eq!(late, Err(Error::Timeout("the answer to Join".into())));
    hub.send(&Encoding::Json.invocation(None, "message", &[1])).await;
    assert!(client.call(soon(), |call| call.target == "message").await.is_ok());
}

#[tokio::test]
async fn the_hubs_reason_for_the_end_is_told_to_all_who_wait_then_and_later() {
    for encoding in ENCODINGS {
        let (mut client, mut hub) = connected(encoding).await;
        hub.send(&encoding.close(Some("shutting down"), false)).await;

        for _ in 0..2 {
            let end = client.call(soon(), |_| true).await.unwrap_err();
            assert_eq!(end.to_string(), "the hub ends the connection: shutting down");
        }
    }
}

#[tokio::test]
async fn a_closed_websocket_tells_its_code() {
    let (mut client, mut hub) = connected(Encoding::Json).await;
    let frame = CloseFrame { code: 1008.into(), reason: "too slow".into() };
    hub.socket.close(Some(frame)).await.unwrap();

    let end = client.call(soon(), |_| true).await;

    assert_eq!(end, Err(Error::Closed { code: Some(1008), reason: Some("too slow".into()) }));
}

#[tokio::test]
async fn a_question_of_the_hub_is_answered_with_an_error() {
    let (mut client, mut hub) = connected(Encoding::Json).await;
    hub.send(&Encoding::Json.invocation(Some("7"), "ask", &[0_u8; 0])).await;

    let record = hub.record().await;

    assert_eq!(
        String::from_utf8(record).unwrap(),
        r#"{"type":3,"invocationId":"7","error":"this client has no method ask"}"#
    );
    assert!(client.call(soon(), |call| call.target == "ask").await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn an_idle_client_sends_pings() {
    let (_client, mut hub) = connected(Encoding::Json).await;
    let start = Instant::now();

    let record = hub.record().await;

    assert_eq!(record, b"{\"type\":6}");
    assert_eq!(start.elapsed().as_secs(), KEEP_ALIVE.as_secs());
}

#[tokio::test]
async fn a_client_that_is_dropped_closes_the_websocket() {
    let (client, mut hub) = connected(Encoding::Json).await;

    drop(client);

    assert!(matches!(hub.socket.next().await, Some(Ok(Message::Close(_)))));
}

#[tokio::test]
async fn a_refused_handshake_says_why() {
    let (near, far) = tokio::io::duplex(4096);
    tokio::spawn(async move {
        let mut hub = Hub { socket: accept_async(far).await.unwrap(), encoding: Encoding::Json };
        hub.record().await;
        hub.send(&refused(&HandshakeError::Timeout)).await;
        hub
    });

    let client = Client::connect(near, &Endpoint::new("chat", "/hub"), None, Encoding::Json, soon()).await;

    let error = client.unwrap_err().to_string();
    assert_eq!(error, "the hub refuses the handshake: The handshake did not come in time.");
}

#[tokio::test]
async fn a_message_that_is_not_of_the_protocol_ends_the_connection() {
    let (mut client, mut hub) = connected(Encoding::Json).await;
    hub.socket.send(Message::Text(Bytes::from_static(b"hello\x1e").try_into().unwrap())).await.unwrap();

    let end = client.call(soon(), |_| true).await.unwrap_err();

    assert!(end.to_string().starts_with("the hub breaks SignalR's protocol: "), "{end}");
}
