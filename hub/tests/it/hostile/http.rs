//! Requests that belong to no connection, or that a connection does not allow (`TransportProtocols.md`).

use std::net::SocketAddr;

use super::Bystanders;
use crate::support::socket::{Socket, frame, negotiate, op, request, upgrade};
use crate::support::{Cluster, Folder, HubProcess, RawClient, until};

const HANDSHAKE: &[u8] = b"{\"protocol\":\"json\",\"version\":1}\x1e";

/// A long-polling connection whose handshake is done.
struct Polling {
    hub: SocketAddr,
    token: String,
}

impl Polling {
    /// Opens a connection: the first poll returns at once, then the handshake is sent and its answer is read.
    async fn shaken(hub: SocketAddr) -> Self {
        let polling = Self { hub, token: negotiate(hub).await };
        let (status, body) = polling.poll().await;
        assert_eq!((status, body.as_str()), (200, ""));
        assert_eq!(polling.post(HANDSHAKE).await, 200);
        let mut heard = String::new();
        while !heard.contains("\"welcome\"") {
            heard.push_str(&polling.poll().await.1);
        }
        assert!(heard.starts_with("{}\x1e"), "{heard}");
        polling
    }

    fn path(&self) -> String {
        format!("/hub?id={}", self.token)
    }

    async fn poll(&self) -> (u16, String) {
        let response = request(self.hub, "GET", &self.path(), b"").await;
        (response.status, response.text())
    }

    async fn post(&self, body: &[u8]) -> u16 {
        request(self.hub, "POST", &self.path(), body).await.status
    }
}

#[tokio::test]
async fn a_request_with_a_wrong_token_is_refused() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let other = HubProcess::alone().await;
    let token = negotiate(hub.address()).await;
    let mut changed = token.clone().into_bytes();
    changed[3] = if changed[3] == b'A' { b'B' } else { b'A' };
    let tokens = [
        String::from("nobody"),
        "0".repeat(32),
        "%00%ff%0d%0a".into(),
        "x".repeat(4_000),
        String::from_utf8(changed).unwrap(),
        token[..token.len() - 1].into(),
        format!("{token}A"),
        // This is the token of a hub with another key.
        negotiate(other.address()).await,
    ];

    for token in tokens {
        for method in ["GET", "POST", "DELETE"] {
            let response = request(hub.address(), method, &format!("/hub?id={token}"), b"").await;
            assert_eq!(response.status, 404, "{method} {token}: {}", response.head);
        }
        // A WebSocket without stateful reconnect needs no state of a negotiation, and so no valid token.
        let mut socket = Socket::open(hub.address()).await;
        socket.write(upgrade(&format!("?id={token}")).as_bytes()).await;
        assert!(socket.head().await.starts_with("HTTP/1.1 101 "), "{token}");
        bystanders.go_on(&hub).await;
    }
}

#[tokio::test]
async fn a_request_without_a_token_is_refused() {
    let hub = HubProcess::alone().await;

    for method in ["GET", "POST", "DELETE"] {
        assert_eq!(request(hub.address(), method, "/hub", b"").await.status, 400, "{method}");
        assert_eq!(request(hub.address(), method, "/hub?id=", b"").await.status, 400, "{method}");
    }
    assert_eq!(request(hub.address(), "PUT", "/hub", b"").await.status, 405);
    assert_eq!(request(hub.address(), "GET", "/hub/negotiate", b"").await.status, 405);
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_negotiation_has_the_version_that_both_know() {
    let hub = HubProcess::alone().await;

    for (query, version) in
        [("", 0), ("?negotiateVersion=0", 0), ("?negotiateVersion=1", 1), ("?negotiateVersion=9", 1)]
    {
        let answer = request(hub.address(), "POST", &format!("/hub/negotiate{query}"), b"").await;
        let answer: serde_json::Value = serde_json::from_slice(&answer.body).unwrap();
        assert_eq!(answer["negotiateVersion"], version, "{query}: {answer}");
        assert_eq!(answer["connectionToken"].is_string(), version == 1, "{query}: {answer}");
        let id = answer["connectionId"].as_str().unwrap();
        assert_ne!(answer["connectionToken"], id, "the token is secret, and the id is not");
    }
    for query in ["?negotiateVersion=x", "?negotiateVersion=-1", "?negotiateVersion=99999999999999999999"] {
        let status = request(hub.address(), "POST", &format!("/hub/negotiate{query}"), b"").await.status;
        assert_eq!(status, 400, "{query}");
    }
}

#[tokio::test]
async fn a_second_poll_ends_the_first_and_takes_its_place() {
    let hub = HubProcess::alone().await;
    let polling = Polling::shaken(hub.address()).await;

    let mut first = Socket::open(hub.address()).await;
    first.write(format!("GET {} HTTP/1.1\r\nHost: hub\r\n\r\n", polling.path()).as_bytes()).await;
    let mut second = Socket::open(hub.address()).await;
    // The hub may see the polls in either order, and ends the one that it sees first.
    second.write(format!("GET {} HTTP/1.1\r\nHost: hub\r\n\r\n", polling.path()).as_bytes()).await;
    let ended = tokio::select! {
        head = first.head() => { std::mem::swap(&mut first, &mut second); head }
        head = second.head() => head,
    };
    assert!(ended.starts_with("HTTP/1.1 204 "), "{ended}");

    let call = b"{\"type\":1,\"invocationId\":\"1\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e";
    assert_eq!(polling.post(call).await, 200);
    assert!(first.head().await.starts_with("HTTP/1.1 200 "), "the other poll does not get the answer");
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_connection_that_was_deleted_is_gone() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let polling = Polling::shaken(hub.address()).await;
    let mut waiting = Socket::open(hub.address()).await;
    waiting.write(format!("GET {} HTTP/1.1\r\nHost: hub\r\n\r\n", polling.path()).as_bytes()).await;

    let deleted = request(hub.address(), "DELETE", &polling.path(), b"").await.status;

    assert!([200, 202].contains(&deleted), "{deleted}");
    let end = waiting.head().await;
    assert!(end.starts_with("HTTP/1.1 204 ") || end.starts_with("HTTP/1.1 404 "), "{end}");
    assert_eq!(polling.post(HANDSHAKE).await, 404);
    let polled = polling.poll().await.0;
    assert!([204, 404].contains(&polled), "{polled}");
    assert_eq!(request(hub.address(), "DELETE", &polling.path(), b"").await.status, 404);
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn a_connection_that_was_deleted_has_left_its_rooms() {
    let hub = HubProcess::alone().await;
    let mut watcher = RawClient::join(hub.address(), "lobby").await;

    for turn in 0..20 {
        let polling = Polling::shaken(hub.address()).await;
        let join = b"{\"type\":1,\"target\":\"Join\",\"arguments\":[\"lobby\",\"Ada\"]}\x1e";
        assert_eq!(polling.post(join).await, 200);
        until("the connection is in the room", async || (members(&mut watcher).await == 2).then_some(()))
            .await;

        assert_eq!(request(hub.address(), "DELETE", &polling.path(), b"").await.status, 202);

        assert_eq!(members(&mut watcher).await, 1, "turn {turn}");
        assert!((hub.connections().await - 1.0).abs() < f64::EPSILON, "turn {turn}");
    }
}

/// The number of members of the lobby.
async fn members(client: &mut RawClient) -> u64 {
    client
        .write("{\"type\":1,\"invocationId\":\"w\",\"target\":\"Who\",\"arguments\":[\"lobby\"]}\x1e")
        .await;
    let answer: serde_json::Value = serde_json::from_str(&client.record().await).unwrap();
    answer["result"]["count"].as_u64().unwrap_or_else(|| panic!("{answer}"))
}

#[tokio::test]
async fn a_connection_keeps_the_transport_and_the_stream_that_it_began_with() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let path = format!("/hub?id={}", negotiate(hub.address()).await);
    let events = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nAccept: text/event-stream\r\n\r\n");
    let mut first = Socket::open(hub.address()).await;
    first.write(events.as_bytes()).await;
    assert!(first.head().await.starts_with("HTTP/1.1 200 "));

    let mut second = Socket::open(hub.address()).await;
    second.write(events.as_bytes()).await;
    assert!(second.head().await.starts_with("HTTP/1.1 409 "));
    assert_eq!(request(hub.address(), "GET", &path, b"").await.status, 409);
    bystanders.go_on(&hub).await;

    // The connection ends with its stream, and cannot be resumed.
    drop(first);
    until("the connection is gone", async || {
        (request(hub.address(), "POST", &path, HANDSHAKE).await.status == 404).then_some(())
    })
    .await;
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn a_connection_has_one_websocket() {
    let hub = HubProcess::alone().await;
    let query = format!("?id={}", negotiate(hub.address()).await);
    let mut first = Socket::upgraded(hub.address(), &query).await;
    first.write(&frame(op::TEXT, HANDSHAKE)).await;
    assert_eq!(first.frame().await.map(|frame| frame.0), Some(op::TEXT), "the handshake is not answered");
    let asks = async || {
        let mut second = Socket::open(hub.address()).await;
        second.write(upgrade(&query).as_bytes()).await;
        let head = second.head().await;
        head.split(' ').nth(1).map(str::to_owned)
    };

    assert_eq!(asks().await.as_deref(), Some("409"));

    drop(first);
    until("a WebSocket is accepted again", async || (asks().await.as_deref() == Some("101")).then_some(()))
        .await;
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_connection_of_a_hub_that_has_ended_is_not_found() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let polling = Polling::shaken(cluster.hub_a.address()).await;
    let here = Polling { hub: cluster.hub_b.address(), ..polling };
    assert_eq!(here.post(b"{\"type\":6}\x1e").await, 200, "the other hub does not forward the request");

    cluster.hub_a.terminate().await;
    cluster.hub_a.ended().await;

    assert_eq!(here.post(b"{\"type\":6}\x1e").await, 404);
    assert_eq!(here.poll().await.0, 404);
    assert_eq!(request(cluster.hub_b.address(), "DELETE", &here.path(), b"").await.status, 404);
    cluster.hub_b.has_not_panicked();
}

#[tokio::test]
async fn a_post_that_is_too_large_ends_its_connection_and_is_not_buffered() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let before = hub.memory();

    for _ in 0..5 {
        let polling = Polling::shaken(hub.address()).await;
        let mut socket = Socket::open(hub.address()).await;
        let head =
            format!("POST {} HTTP/1.1\r\nHost: hub\r\nContent-Length: 20000000\r\n\r\n", polling.path());
        socket.write(head.as_bytes()).await;
        for _ in 0..20 {
            socket.write(&vec![b' '; 1_000_000]).await;
        }
        let mut ended = false;
        while !ended {
            let (status, body) = polling.poll().await;
            ended = status != 200 || body.contains("larger than 32768 bytes");
            assert!([200, 204, 404].contains(&status), "{status}");
        }
    }

    bystanders.go_on(&hub).await;
    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 64 << 20, "of 100 MB that were sent, {grown} bytes are kept");
}

#[tokio::test]
async fn wrong_records_over_long_polling_end_it_with_a_reason() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;

    for wrong in ["nonsense\x1e", "{}\x1e", "\x1e", "\u{0}\x1e"] {
        let polling = Polling::shaken(hub.address()).await;
        polling.post(wrong.as_bytes()).await;

        let (status, body) = polling.poll().await;

        assert_eq!(status, 200, "{wrong:?}");
        assert!(body.starts_with("{\"type\":7,\"error\":\"A message is malformed"), "{wrong:?}: {body}");
        let (status, _) = polling.poll().await;
        assert!([204, 404].contains(&status), "{wrong:?}: {status}");
        bystanders.go_on(&hub).await;
    }
}

#[tokio::test]
async fn requests_that_are_not_http_are_refused() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let many = format!("GET /hub HTTP/1.1\r\n{}\r\n", "X: y\r\n".repeat(5_000));
    let long = format!("GET /hub?id={} HTTP/1.1\r\nHost: hub\r\n\r\n", "x".repeat(500_000));
    let requests = ["\x16\x03\x01\x02\x00\x01\x00", "hello\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", &many, &long];

    for bytes in requests {
        let mut socket = Socket::open(hub.address()).await;
        socket.write(bytes.as_bytes()).await;
        let answer = socket.rest().await;
        let answer = String::from_utf8_lossy(&answer);
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.1 505"),
            "{answer}"
        );
        bystanders.go_on(&hub).await;
    }
}

#[tokio::test]
async fn a_key_file_that_is_too_short_is_refused_at_the_start() {
    let folder = Folder::new();
    let key = folder.write("key", "short");
    let output =
        crate::support::hub_command(&["--token-key-file", key.to_str().unwrap()]).output().await.unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success(), "{told}");
    assert!(told.contains("32 bytes") && !told.contains("short\""), "{told}");
}
