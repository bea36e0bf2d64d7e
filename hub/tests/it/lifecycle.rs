//! The start and the end of a hub.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cluster::PASSWORD;
use crate::support::{Balancer, Client, Cluster, HubProcess, RawClient, Redis, hub_command, until};

#[tokio::test]
async fn a_hub_that_is_told_to_end_sends_its_clients_to_the_other_one() {
    let mut cluster = Cluster::start().await;
    let balancer = Balancer::before(vec![cluster.hub_a.address(), cluster.hub_b.address()]).await;
    let mut ada = Client::join(&balancer.url(), "lobby", "Ada").await;
    let mut grace = Client::join(&cluster.hub_b.url(), "lobby", "Grace").await;
    assert_eq!(ada.event("welcome").await["pod"], "hub-a");

    let asked = Instant::now();
    cluster.hub_a.terminate().await;

    assert_eq!(ada.event("reconnecting").await, json!(null), "the close has an error");
    ada.event("reconnected").await;
    assert_eq!(ada.event("welcome").await["pod"], "hub-b");
    assert!(cluster.hub_a.ended().await.success());
    assert!(asked.elapsed() < Duration::from_secs(20), "the hub took {:?} to end", asked.elapsed());
    ada.invoke("Join", &json!(["lobby", "Ada"])).await.unwrap();
    ada.invoke("Send", &json!(["lobby", "back"])).await.unwrap();
    assert_eq!(grace.hears().await, ("Ada".into(), "back".into()));
}

#[tokio::test]
async fn clients_of_a_hub_that_ends_know_which_of_their_messages_were_stored() {
    let mut cluster = Cluster::start().await;
    let mut grace = Client::join(&cluster.hub_b.url(), "lobby", "Grace").await;
    let mut ada = RawClient::join(cluster.hub_a.address(), "lobby").await;

    for n in 0..500 {
        let call = r#"{"type":1,"target":"Send","invocationId":"#;
        ada.write(&format!("{call}\"{n}\",\"arguments\":[\"lobby\",\"{n}\"]}}\x1e")).await;
        if n == 250 {
            cluster.hub_a.terminate().await;
        }
    }

    let (records, _) = ada.rest().await;
    assert!(cluster.hub_a.ended().await.success());
    grace.invoke("Send", &json!(["lobby", "end"])).await.unwrap();
    let mut heard = Vec::new();
    loop {
        match grace.hears().await.1 {
            text if text == "end" => break,
            text => heard.push(text),
        }
    }
    let confirmed: Vec<_> = records
        .iter()
        .filter_map(|record| {
            let answer = record.strip_prefix(r#"{"type":3,"invocationId":""#)?;
            Some(answer.split_once(r#"","result":{"id":""#)?.0)
        })
        .collect();
    assert_eq!(heard, confirmed);
}

#[tokio::test]
async fn a_hub_that_ends_says_so_and_accepts_no_new_connections() {
    let mut hub = HubProcess::alone().await;
    let mut client = RawClient::join(hub.address(), "lobby").await;
    let _handshaking = RawClient::open(hub.address()).await;

    hub.terminate().await;

    let (records, code) = client.rest().await;
    assert_eq!(records, [r#"{"type":7,"allowReconnect":true}"#]);
    assert_eq!(code, Some(1001));
    until("the hub accepts nobody", async || hub.get("/healthz").await.is_none().then_some(())).await;
    assert!(hub.ended().await.success());
}

#[tokio::test]
async fn clients_that_do_not_answer_do_not_keep_a_hub_from_ending() {
    let mut hub = HubProcess::alone().await;
    let mut deaf = Vec::new();
    for _ in 0..20 {
        deaf.push(RawClient::join(hub.address(), "lobby").await);
    }

    let asked = Instant::now();
    hub.terminate().await;

    assert!(hub.ended().await.success());
    assert!(asked.elapsed() < Duration::from_secs(20), "the hub took {:?} to end", asked.elapsed());
}

#[tokio::test]
async fn wrong_flags_are_refused_in_one_line() {
    let cases: [(&[&str], &str); 5] = [
        (&["--port", "x"], "a port is a number"),
        (&["--redis", "redis://:hunter2@redis"], "--redis-password-file"),
        (&["--redis", "a", "--redis-server", "b"], "cannot be used with"),
        (&["--event-key", "a:b"], "without a colon"),
        (&["--pod-name", "a b"], "without a space"),
    ];
    for (arguments, reason) in cases {
        let output = hub_command(arguments).output().await.unwrap();

        let told = String::from_utf8(output.stderr).unwrap();
        assert_eq!(output.status.code(), Some(2), "{told}");
        assert_eq!(told.lines().count(), 1, "{told}");
        assert!(told.starts_with("chatcluster-hub: ") && told.contains(reason), "{told}");
        assert!(!told.contains("hunter2"), "{told}");
    }
}

#[tokio::test]
async fn a_port_in_use_is_reported() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let output = hub_command(&["--listen", &address]).output().await.unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[tokio::test]
async fn a_hub_with_far_more_clients_than_the_others_disconnects_some_but_not_all() {
    let cluster = Cluster::with(Redis::start(PASSWORD).await, &["--rebalance", "true"]).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(RawClient::shaken(cluster.hub_a.address()).await);
    }

    // The mean is 20; a hub may have a fifth more than the mean, and ten more.
    until("few enough are left", async || (cluster.hub_a.connections().await < 36.0).then_some(())).await;

    assert!(cluster.hub_a.connections().await >= 33.0, "the hub disconnected too many");
    let ends = clients.iter_mut().map(|client| Box::pin(client.rest()));
    let ((records, code), ..) = futures::future::select_all(ends).await;
    assert_eq!(records.last().map(String::as_str), Some(r#"{"type":7,"allowReconnect":true}"#));
    assert_eq!(code, Some(1001));
}

#[tokio::test]
async fn a_hub_serves_more_clients_than_its_initial_limit_of_file_descriptors() {
    let hub = HubProcess::alone_of_few_descriptors(64).await;
    assert!(hub.room_for_descriptors() >= 1024, "clients would wait for the table of descriptors to grow");
    let mut clients = Vec::new();

    for _ in 0..100 {
        clients.push(RawClient::join(hub.address(), "lobby").await);
    }

    assert!(hub.connections().await >= 100.0);
}
