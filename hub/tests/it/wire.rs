//! Edge cases of the protocol, on a bare WebSocket.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use chatcluster_hub::config::{Config, Timeouts};
use chatcluster_hub::hub::Hub;
use chatcluster_hub::{http, server};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::support::{HubProcess, RawClient, until};

/// A hub in this process, with timeouts that cannot be configured.
async fn hub_with(timeouts: Timeouts) -> (Arc<Hub>, SocketAddr) {
    let arguments = ["hub", "--listen", "127.0.0.1:0", "--pod-name", "hub-here"];
    let config = Config::read(arguments.map(String::from)).expect("the flags are right");
    let listener = TcpListener::bind(config.listen).await.expect("a free port");
    let address = listener.local_addr().expect("the port has a number");
    let hub = chatcluster_hub::start(&Config { timeouts, ..config }, address.port());
    tokio::spawn(server::serve(listener, http::router(&hub), timeouts.handshake, CancellationToken::new()));
    (hub, address)
}

#[tokio::test]
async fn records_may_be_split_and_joined_in_any_way() {
    let hub = HubProcess::alone().await;
    let mut client = RawClient::open(hub.address()).await;
    let join = r#"{"type":1,"invocationId":"1","target":"Join","arguments":["lobby"]}"#;

    client.write("{\"protocol\":\"js").await;
    client.write(&format!("on\",\"version\":1}}\x1e{join}\x1e{{\"type\":6")).await;
    client.write(&format!("}}\x1e{}", join.replace("\"1\"", "\"2\""))).await;
    client.write("\x1e").await;

    assert_eq!(client.record().await, "{}");
    assert!(client.record().await.contains("\"welcome\""));
    assert!(client.record().await.starts_with(r#"{"type":3,"invocationId":"1","result":{"room":"lobby""#));
    assert!(client.record().await.starts_with(r#"{"type":3,"invocationId":"2","result":{"room":"lobby""#));
}

#[tokio::test]
async fn an_invalid_handshake_is_refused_with_a_reason() {
    let hub = HubProcess::alone().await;
    let refused = async |first: &str| {
        let mut client = RawClient::open(hub.address()).await;
        client.write(first).await;
        let (records, code) = client.rest().await;
        assert_eq!(code, Some(1002));
        records
    };

    assert_eq!(
        refused("{\"protocol\":\"protobuf\",\"version\":1}\x1e").await,
        [
            r#"{"error":"The protocol 'protobuf' is not supported; this hub speaks 'json' and 'messagepack'."}"#
        ]
    );
    assert_eq!(
        refused("{\"protocol\":\"json\",\"version\":3}\x1e").await,
        [r#"{"error":"Version 3 of the protocol is not supported; this hub speaks versions 1 and 2."}"#]
    );
    for garbage in ["GET / HTTP/1.1\x1e", "\x1e", "{\"type\":6}\x1e"] {
        assert!(refused(garbage).await[0].contains("The handshake is malformed"), "{garbage}");
    }
}

#[tokio::test]
async fn a_handshake_that_does_not_come_times_out() {
    let (_, address) =
        hub_with(Timeouts { handshake: Duration::from_millis(200), ..Timeouts::default() }).await;
    let mut client = RawClient::open(address).await;

    let (records, _) = client.rest().await;

    assert_eq!(records, [r#"{"error":"The handshake did not come in time."}"#]);
}

#[tokio::test]
async fn a_malformed_record_closes_its_sender_with_a_reason_and_no_other_client() {
    let hub = HubProcess::alone().await;
    let mut bystander = RawClient::join(hub.address(), "lobby").await;

    for bad in
        ["nonsense", "{}", "[]", "{\"type\":1}", "{\"type\":\"x\"}", "\u{0}", "{\"type\":1,\"target\":["]
    {
        let mut client = RawClient::shaken(hub.address()).await;
        client.write(&format!("{bad}\x1e")).await;
        let (records, code) = client.rest().await;
        assert!(records[0].starts_with(r#"{"type":7,"error":"A message is malformed"#), "{bad}: {records:?}");
        assert_eq!(records.len(), 1);
        assert_eq!(code, Some(1002));
    }

    bystander.write("{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",\"here\"]}\x1e").await;
    assert!(bystander.record().await.contains("\"text\":\"here\""));
    assert!(!hub.log().contains("panic"), "{}", hub.log());
}

#[tokio::test]
async fn a_record_without_end_is_refused() {
    let hub = HubProcess::alone().await;
    let mut client = RawClient::shaken(hub.address()).await;

    for _ in 0..5 {
        client.write(&"x".repeat(8_000)).await;
    }

    let (records, code) = client.rest().await;
    assert_eq!(
        records,
        [r#"{"type":7,"error":"A message is larger than 32768 bytes; send less in one message."}"#]
    );
    assert_eq!(code, Some(1009));
}

#[tokio::test]
async fn well_formed_records_without_a_meaning_are_ignored() {
    let hub = HubProcess::alone().await;
    let mut client = RawClient::shaken(hub.address()).await;

    client
        .write("{\"type\":5,\"invocationId\":\"9\"}\x1e{\"type\":42}\x1e{\"type\":9,\"sequenceId\":1}\x1e")
        .await;
    client
        .write("{\"type\":1,\"invocationId\":\"1\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e")
        .await;

    assert_eq!(client.record().await, r#"{"type":3,"invocationId":"1","result":null}"#);
}

#[tokio::test]
async fn a_client_that_says_goodbye_is_closed_without_a_record() {
    let hub = HubProcess::alone().await;
    let mut client = RawClient::shaken(hub.address()).await;

    client.write("{\"type\":7}\x1e").await;

    let (records, code) = client.rest().await;
    assert_eq!((records.len(), code), (0, Some(1000)));
}

#[tokio::test]
async fn a_quiet_client_is_pinged_and_dropped_when_it_stays_silent() {
    let timeouts =
        Timeouts { ping: Duration::from_millis(100), silence: Duration::from_secs(1), ..Timeouts::default() };
    let (_, address) = hub_with(timeouts).await;
    let mut client = RawClient::shaken(address).await;

    let (mut records, _) = client.rest().await;

    let last = records.pop().unwrap();
    assert_eq!(last, r#"{"type":7,"error":"Nothing was heard of you for too long.","allowReconnect":true}"#);
    assert!(records.len() >= 2 && records.iter().all(|record| record == r#"{"type":6}"#), "{records:?}");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_dropped_and_slows_nobody() {
    // The hub lingers long enough for the client to read the last records on a busy machine.
    let (hub, address) = hub_with(Timeouts { linger: Duration::from_secs(30), ..Timeouts::default() }).await;
    let mut slow = RawClient::join(address, "lobby").await;
    let mut quick = RawClient::join(address, "lobby").await;
    let text = |n| format!("{n} {}", "x".repeat(30_000));
    let message = |n| {
        let text = text(n);
        format!("{{\"type\":1,\"target\":\"Send\",\"arguments\":[\"lobby\",\"{text}\"]}}\x1e")
    };

    // The kernel's buffers take some megabytes before the hub's own queue fills.
    let mut sent = 0;
    while hub.metrics.slow_consumers.get() == 0 {
        assert!(sent < 10_000, "the queue has no bound");
        quick.write(&message(sent)).await;
        assert!(quick.record().await.contains(&text(sent)), "the quick client misses a message");
        sent += 1;
    }

    let (records, _) = slow.rest().await;
    assert!(records.last().unwrap().contains("You read too slowly"), "{:?}", records.last());
    assert!(records.len() <= sent, "the slow client got everything");
    for (n, record) in records[..records.len() - 1].iter().enumerate() {
        assert!(record.contains(&text(n)), "message {n} of {sent} was lost before the client was dropped");
    }
    drop(slow);
    until("only the quick client is left", async || (hub.metrics.connections.get() == 1).then_some(())).await;
    quick.write(&message(sent)).await;
    assert!(quick.record().await.contains(&text(sent)));
}
