//! The counters and times of `/metrics`, from events that really happen.

use serde_json::json;
use signalr_client::Encoding;

use crate::support::socket::{Socket, op, request, upgrade};
use crate::support::{Cluster, Folder, HubProcess, RawClient, token, until};

/// Waits until a metric has this value.
async fn counts(hub: &HubProcess, name: &str, value: u32) {
    let name = format!("chatcluster_hub_{name}");
    until(&format!("{name} is {value}"), async || {
        ((hub.metric(&name).await - f64::from(value)).abs() < f64::EPSILON).then_some(())
    })
    .await;
}

/// A call whose caller does not wait for an answer.
fn call(target: &str, arguments: &serde_json::Value) -> String {
    format!("{}\u{1e}", json!({ "type": 1, "target": target, "arguments": arguments }))
}

/// Sends this number of texts to a room, and waits until the sender hears them.
async fn chat(client: &mut RawClient, room: &str, texts: usize) {
    for text in 0..texts {
        client.write(&call("Send", &json!([room, text.to_string()]))).await;
    }
    for text in 0..texts {
        assert!(client.record().await.contains(&format!("\"text\":\"{text}\"")));
    }
}

#[tokio::test]
async fn metrics_are_served_as_openmetrics() {
    let hub = HubProcess::alone().await;

    let response = request(hub.address(), "GET", "/metrics", b"").await;

    assert_eq!(response.status, 200);
    let media_type = "content-type: application/openmetrics-text; version=1.0.0; charset=utf-8\r\n";
    assert!(response.head.to_ascii_lowercase().contains(media_type), "{}", response.head);
    assert!(response.text().ends_with("\n# EOF\n"), "{}", response.text());
}

#[tokio::test]
async fn each_disconnect_is_counted_by_its_reason() {
    let hub = HubProcess::alone_with(&["--max-message-bytes", "1024", "--handshake-timeout", "1"]).await;
    let stays = RawClient::shaken(hub.address()).await;

    drop(RawClient::shaken(hub.address()).await);
    let mut leaves = RawClient::shaken(hub.address()).await;
    leaves.write("{\"type\":7}\u{1e}").await;
    for first in ["nonsense\u{1e}", ""] {
        let mut stranger = RawClient::open(hub.address()).await;
        stranger.write(first).await;
        stranger.rest().await;
    }
    for (nonsense, times) in [("nonsense\u{1e}".to_owned(), 3), ("x".repeat(2_000), 1)] {
        for _ in 0..times {
            let mut client = RawClient::shaken(hub.address()).await;
            client.write(&nonsense).await;
            client.rest().await;
        }
    }
    let mut unmasked = Socket::shaken(hub.address(), Encoding::Json).await;
    unmasked.write(&[op::TEXT, 0]).await;
    unmasked.farewell().await;

    let reasons = [
        ("gone", 1),
        ("farewell", 1),
        ("handshake", 2),
        ("protocol", 3),
        ("too_large", 1),
        ("frame", 1),
        ("silent", 0),
        ("slow_consumer", 0),
    ];
    for (reason, count) in reasons {
        counts(&hub, &format!("disconnects_total{{reason=\"{reason}\"}}"), count).await;
    }
    counts(&hub, "connections", 1).await;
    drop(stays);
}

#[tokio::test]
async fn each_refusal_is_counted_by_its_reason() {
    let folder = Folder::new();
    let key = folder.write("jwt", token::KEY);
    let flags = ["--jwt-key-file", key.to_str().expect("the path is UTF-8"), "--max-connections", "1"];
    let hub = HubProcess::alone_with(&flags).await;
    let token = token::hs256(&json!({ "sub": "ada" }));
    let query = format!("?access_token={token}");
    let _only = Socket::upgraded(hub.address(), &query).await;

    let mut stranger = Socket::open(hub.address()).await;
    stranger.write(b"OPTIONS /hub HTTP/1.1\r\nHost: hub\r\nOrigin: https://elsewhere.example\r\n\r\n").await;
    assert!(stranger.head().await.starts_with("HTTP/1.1 403 "));
    for (path, status) in
        [("/hub", 401), (&*format!("/hub{query}"), 400), (&*format!("/hub{query}&id=unknown"), 404)]
    {
        assert_eq!(request(hub.address(), "GET", path, b"").await.status, status, "{path}");
    }
    let mut second = Socket::open(hub.address()).await;
    second.write(upgrade(&query).as_bytes()).await;
    assert!(second.head().await.starts_with("HTTP/1.1 503 "));

    let reasons = [
        ("origin", 1),
        ("token", 1),
        ("no_connection_token", 1),
        ("unknown_connection", 1),
        ("too_many_connections", 1),
        ("too_many_from_address", 0),
    ];
    for (reason, count) in reasons {
        counts(&hub, &format!("requests_refused_total{{reason=\"{reason}\"}}"), count).await;
    }
    counts(&hub, "connections_refused_total", 1).await;
}

#[tokio::test]
async fn calls_that_fail_are_counted_even_if_nobody_waits_for_their_answer() {
    let hub = HubProcess::alone().await;
    let mut client = RawClient::join(hub.address(), "lobby").await;

    client.write(&call("Shout", &json!([]))).await;
    client.write(&call("Send", &json!(["attic", "I am not there"]))).await;
    client.write(&call("Send", &json!(["attic", "nor now"]))).await;
    chat(&mut client, "lobby", 1).await;

    counts(&hub, "calls_failed_total{reason=\"unknown_method\"}", 1).await;
    counts(&hub, "calls_failed_total{reason=\"not_joined\"}", 2).await;
    counts(&hub, "calls_failed_total{reason=\"too_often\"}", 0).await;
}

#[tokio::test]
async fn each_message_is_timed_when_it_is_stored_and_when_it_is_delivered() {
    let mut cluster = Cluster::start().await;
    let mut ada = RawClient::join(cluster.hub_a.address(), "lobby").await;
    let mut grace = RawClient::join(cluster.hub_b.address(), "lobby").await;

    chat(&mut ada, "lobby", 5).await;
    for _ in 0..5 {
        assert!(grace.record().await.contains("\"message\""));
    }

    for (hub, stored) in [(&cluster.hub_a, 5), (&cluster.hub_b, 0)] {
        counts(hub, "messages_published_total", stored).await;
        counts(hub, "message_store_seconds_count", stored).await;
        counts(hub, "message_store_seconds_bucket{le=\"+Inf\"}", stored).await;
        counts(hub, "message_delivery_seconds_count", 5).await;
        counts(hub, "catch_ups_total", 1).await;
        counts(hub, "catch_up_seconds_count", 1).await;
        assert!(hub.metric("chatcluster_hub_flush_seconds_count").await > 0.0);
        assert!(hub.metric("chatcluster_hub_message_delivery_seconds_sum").await > 0.0);
    }
    assert!(cluster.hub_a.metric("chatcluster_hub_message_store_seconds_sum").await > 0.0);

    cluster.redis.kill().await;
    cluster.hub_a.not_ready_because("Redis").await;
    cluster.redis.start_again().await;
    cluster.hub_a.ready().await;

    let caught_up = cluster.hub_a.metric("chatcluster_hub_catch_ups_total").await;
    assert!(caught_up >= 2.0, "the lobby was not read again");
    assert!(cluster.hub_a.metric("chatcluster_hub_catch_up_seconds_count").await >= caught_up);
}
