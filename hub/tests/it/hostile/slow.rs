//! Slow clients, and many of them.

use futures::future::join_all;

use super::Bystanders;
use crate::support::socket::{Socket, frame, negotiate, op, request, upgrade};
use crate::support::{HubProcess, RawClient, until};

#[tokio::test]
async fn a_request_whose_head_never_ends_times_out() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let starts = ["", "G", "GET /hub HTTP/1.1\r\n", "GET /hub HTTP/1.1\r\nHost: hub\r\nX: "];

    let sockets = join_all((0..100).map(async |n: usize| {
        let mut socket = Socket::open(hub.address()).await;
        socket.write(starts[n % starts.len()].as_bytes()).await;
        if n >= 50 {
            socket.drip(b"x".to_vec());
        }
        socket
    }))
    .await;
    bystanders.go_on(&hub).await;

    let answers = join_all(sockets.into_iter().map(async |mut socket| socket.rest().await)).await;
    for answer in answers {
        let answer = String::from_utf8_lossy(&answer);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 408 "), "{answer}");
    }
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn a_handshake_that_comes_byte_by_byte_times_out() {
    let hub = HubProcess::alone_with(&["--handshake-timeout", "1"]).await;
    let mut bystanders = Bystanders::of(&hub).await;
    let mut socket = Socket::upgraded(hub.address(), "").await;

    socket.drip(frame(op::TEXT, b" "));

    let (said, _) = socket.farewell().await;
    assert_eq!(String::from_utf8_lossy(&said), "{\"error\":\"The handshake did not come in time.\"}\x1e");
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn an_endless_handshake_is_refused() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let mut socket = Socket::upgraded(hub.address(), "").await;

    for _ in 0..10 {
        socket.write(&frame(op::TEXT, &[b' '; 8_000])).await;
    }

    let (said, code) = socket.farewell().await;
    let said = String::from_utf8_lossy(&said);
    assert!(said.starts_with("{\"error\":\"") && [1002, 1009].contains(&code), "{code}: {said}");
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn thousands_of_clients_that_never_shake_hands_cost_little_and_keep_nobody_out() {
    const MANY: usize = 2_000;
    let hub = HubProcess::alone_with(&["--handshake-timeout", "5"]).await;
    let mut bystanders = Bystanders::of(&hub).await;
    let before = hub.memory();

    let mut sockets = Vec::new();
    for _ in 0..MANY / 100 {
        sockets.extend(join_all((0..100).map(|_| Socket::upgraded(hub.address(), ""))).await);
        bystanders.go_on(&hub).await;
    }
    let grown = hub.memory().saturating_sub(before);

    assert!(grown < 100 << 20, "{grown} bytes for {MANY}");
    let mut late = Bystanders::of(&hub).await;
    late.go_on(&hub).await;
    for mut socket in sockets {
        let (said, _) = socket.farewell().await;
        assert!(String::from_utf8_lossy(&said).contains("did not come in time"));
    }
}

#[tokio::test]
async fn thousands_of_clients_that_only_negotiate_cost_nothing() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    negotiate(hub.address()).await;
    let before = hub.memory();

    for _ in 0..20 {
        join_all((0..100).map(|_| request(hub.address(), "POST", "/hub/negotiate?negotiateVersion=1", b"")))
            .await;
    }

    let grown = hub.memory().saturating_sub(before);
    assert!(grown < 32 << 20, "{grown} bytes");
    assert!((hub.connections().await - 2.0).abs() < f64::EPSILON);
    bystanders.go_on(&hub).await;
}

#[tokio::test]
async fn thousands_of_clients_that_send_half_a_request_keep_nobody_out() {
    let hub = HubProcess::alone().await;
    let mut bystanders = Bystanders::of(&hub).await;
    let before = hub.memory();
    let whole = upgrade("");

    let sockets = join_all((0..2_000).map(async |n: usize| {
        let mut socket = Socket::open(hub.address()).await;
        socket.write(&whole.as_bytes()[..n % (whole.len() - 1)]).await;
        socket
    }))
    .await;
    bystanders.go_on(&hub).await;
    let grown = hub.memory().saturating_sub(before);

    assert!(grown < 100 << 20, "{grown} bytes");
    let mut late = Bystanders::of(&hub).await;
    late.go_on(&hub).await;
    drop(sockets);
}

#[tokio::test]
async fn a_client_that_reads_nothing_over_http_is_dropped_and_slows_nobody() {
    for accept in ["text/event-stream", "*/*"] {
        let hub = HubProcess::alone().await;
        let mut quick = RawClient::join(hub.address(), "lobby").await;
        let path = format!("/hub?id={}", negotiate(hub.address()).await);
        let mut slow = Socket::open(hub.address()).await;
        let get = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nAccept: {accept}\r\n\r\n");
        slow.write(get.as_bytes()).await;
        assert!(slow.head().await.starts_with("HTTP/1.1 200 "), "{accept}");
        let call = "{\"protocol\":\"json\",\"version\":1}\x1e\
            {\"type\":1,\"target\":\"Join\",\"arguments\":[\"lobby\"]}\x1e";
        assert_eq!(request(hub.address(), "POST", &path, call.as_bytes()).await.status, 200, "{accept}");
        let before = hub.memory();

        // The kernel's buffers take some megabytes before the hub's own queue fills.
        let text = "x".repeat(30_000);
        let call = format!("{{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",\"{text}\"]}}\x1e");
        for _ in 0..600 {
            quick.write(&call).await;
            assert!(quick.record().await.contains(&text), "the quick client misses a message");
        }

        let what = format!("the hub drops the slow client: {accept}");
        until(&what, async || (hub.connections().await < 2.0).then_some(())).await;
        let grown = hub.memory().saturating_sub(before);
        assert!(grown < 64 << 20, "of 18 MB that were sent, {grown} bytes are kept: {accept}");
        hub.has_not_panicked();
    }
}
