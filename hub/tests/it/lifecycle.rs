//! How a hub starts and ends.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::cluster::PASSWORD;
use crate::support::{Balancer, Client, Cluster, Folder, HubProcess, RawClient, Redis, hub_command, until};

#[tokio::test]
async fn a_hub_that_is_told_to_end_sends_its_clients_to_the_other_one() {
    let redis = Redis::start("s3cret").await;
    let folder = Folder::new();
    let file = folder.write("password", "s3cret");
    let mut a = HubProcess::with(&redis, &file, "hub-a").await;
    let b = HubProcess::with(&redis, &file, "hub-b").await;
    let balancer = Balancer::before(vec![a.address(), b.address()]).await;
    let mut ada = Client::join(&balancer.url(), "lobby", "Ada").await;
    let mut grace = Client::join(&b.url(), "lobby", "Grace").await;
    assert_eq!(ada.event("welcome").await["pod"], "hub-a");

    let asked = Instant::now();
    a.terminate().await;

    assert_eq!(ada.event("reconnecting").await, json!(null), "allowReconnect, and no error");
    ada.event("reconnected").await;
    assert_eq!(ada.event("welcome").await["pod"], "hub-b");
    assert!(a.ended().await.success());
    assert!(asked.elapsed() < Duration::from_secs(20), "the grace period: {:?}", asked.elapsed());
    ada.invoke("Join", &json!(["lobby", "Ada"])).await.unwrap();
    ada.invoke("Send", &json!(["lobby", "back"])).await.unwrap();
    assert_eq!(grace.hears().await, ("Ada".into(), "back".into()));
}

#[tokio::test]
async fn whoever_is_told_to_go_knows_what_was_sent() {
    let redis = Redis::start("s3cret").await;
    let folder = Folder::new();
    let file = folder.write("password", "s3cret");
    let mut a = HubProcess::with(&redis, &file, "hub-a").await;
    let b = HubProcess::with(&redis, &file, "hub-b").await;
    let mut grace = Client::join(&b.url(), "lobby", "Grace").await;
    let mut ada = RawClient::join(a.address(), "lobby").await;

    for n in 0..500 {
        let call = r#"{"type":1,"target":"Send","invocationId":"#;
        ada.write(&format!("{call}\"{n}\",\"arguments\":[\"lobby\",\"{n}\"]}}\x1e")).await;
        if n == 250 {
            a.terminate().await;
        }
    }

    let (records, _) = ada.rest().await;
    assert!(a.ended().await.success());
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
async fn an_end_is_announced_and_accepts_nobody_new() {
    let mut hub = HubProcess::alone().await;
    let mut client = RawClient::join(hub.address(), "lobby").await;
    let _handshaking = RawClient::open(hub.address()).await;

    hub.terminate().await;

    let (records, code) = client.rest().await;
    assert_eq!(records, [r#"{"type":7,"allowReconnect":true}"#]);
    assert_eq!(code, Some(1001));
    until("nobody is accepted", async || hub.get("/healthz").await.is_none().then_some(())).await;
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
    assert!(asked.elapsed() < Duration::from_secs(20), "the grace period: {:?}", asked.elapsed());
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
async fn a_port_in_use_is_said() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();

    let output = hub_command(&["--listen", &address]).output().await.unwrap();

    let told = String::from_utf8(output.stderr).unwrap();
    assert!(!output.status.success());
    assert!(told.contains(&format!("cannot listen on {address}")), "{told}");
}

#[tokio::test]
async fn a_hub_with_far_more_clients_than_the_others_lets_some_go_but_not_all() {
    let cluster = Cluster::with(Redis::start(PASSWORD).await, &["--rebalance", "true"]).await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(RawClient::shaken(cluster.a.address()).await);
    }

    // The mean is 20 then; a fifth above it and ten more are tolerated.
    let connections = async || cluster.a.metric("chatcluster_hub_connections").await;
    until("few enough are left", async || (connections().await < 36.0).then_some(())).await;

    assert!(connections().await >= 33.0, "no more than that");
    let ends = clients.iter_mut().map(|client| Box::pin(client.rest()));
    let ((records, code), ..) = futures::future::select_all(ends).await;
    assert_eq!(records.last().map(String::as_str), Some(r#"{"type":7,"allowReconnect":true}"#));
    assert_eq!(code, Some(1001));
}

#[tokio::test]
async fn a_hub_takes_more_clients_than_the_descriptors_it_began_with() {
    let hub = HubProcess::alone_of_few_descriptors(64).await;
    assert!(hub.room_for_descriptors() >= 1024, "nobody waits for the table to grow");
    let mut clients = Vec::new();

    for _ in 0..100 {
        clients.push(RawClient::join(hub.address(), "lobby").await);
    }

    assert!(hub.metric("chatcluster_hub_connections").await >= 100.0);
}
