//! The history of a room: stored messages, their ids, and gaps.

use std::collections::HashSet;

use serde_json::{Value, json};

use crate::support::{Client, Cluster, HubProcess, RawClient, Redis, cluster};

/// Sends a text, and returns the message's id.
async fn say(client: &mut Client, text: &str) -> String {
    let stored = client.invoke("Send", &json!(["lobby", text])).await.expect("the message is stored");
    assert!(stored["at"].as_u64().unwrap() > 1_700_000_000_000, "{stored}");
    stored["id"].as_str().expect("a stored message has an id").to_owned()
}

async fn join(client: &mut Client, options: Value) -> Value {
    client.invoke("Join", &json!(["lobby", "Grace", options])).await.expect("the client joins")
}

fn texts(joined: &Value) -> Vec<&str> {
    let history = joined["history"].as_array().expect("a history");
    history.iter().map(|message| message["text"].as_str().expect("a text")).collect()
}

fn epoch_and_number(id: &Value) -> (String, u64) {
    let (epoch, number) = id.as_str().and_then(|id| id.split_once('-')).expect("an id");
    (epoch.into(), number.parse().expect("a number"))
}

#[tokio::test]
async fn a_client_that_joins_later_gets_the_history_from_any_hub() {
    let cluster = Cluster::start().await;
    let mut ada = Client::join(&cluster.hub_a.url(), "lobby", "Ada").await;
    let mut ids = Vec::new();
    for text in ["one", "two", "three"] {
        ids.push(say(&mut ada, text).await);
    }

    let mut grace = Client::connect(&cluster.hub_b.url()).await;
    let joined = join(&mut grace, json!({})).await;

    assert_eq!(texts(&joined), ["one", "two", "three"]);
    assert_eq!(joined["history"][1]["id"], json!(ids[1]));
    assert_eq!(joined["history"][1]["from"], "Ada");
    assert_eq!(joined["history"][1]["pod"], "hub-a");
    assert_eq!((&joined["last"], &joined["gap"]), (&json!(ids[2]), &json!(false)));
    assert_eq!(texts(&join(&mut grace, json!({ "history": 2 })).await), ["two", "three"]);
    assert_eq!(texts(&join(&mut grace, json!({ "since": ids[0] })).await), ["two", "three"]);
    assert_eq!(texts(&join(&mut grace, json!({ "since": ids[2] })).await), [""; 0]);

    let id = say(&mut ada, "four").await;
    assert_eq!(grace.event("message").await["id"], json!(id));
}

#[tokio::test]
async fn everyone_hears_every_message_once_and_in_the_order_of_their_ids() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;
    let mut senders = Vec::new();
    for hub in [&cluster.hub_a, &cluster.hub_b, &cluster.hub_a, &cluster.hub_b] {
        senders.push(RawClient::join(hub.address(), "lobby").await);
    }

    let sending = senders.into_iter().enumerate().map(async |(sender, mut client)| {
        for n in 0..100 {
            let call = r#"{"type":1,"target":"Send","arguments":["lobby","#;
            client.write(&format!("{call}\"{sender} {n}\"]}}\x1e")).await;
        }
        client
    });
    let _senders = futures::future::join_all(sending).await;

    let mut last = 0;
    let mut texts = HashSet::new();
    for _ in 0..400 {
        let message = ada.event("message").await;
        assert_eq!(grace.event("message").await, message);
        let (_, number) = epoch_and_number(&message["id"]);
        assert_eq!(number, last + 1);
        last = number;
        texts.insert(message["text"].as_str().unwrap().to_owned());
    }
    assert_eq!(texts.len(), 400);
    assert!(!ada.has("gap") && !grace.has("gap"));
}

#[tokio::test]
async fn a_message_that_is_sent_again_with_its_nonce_is_stored_once() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    let send = json!(["lobby", "once", { "nonce": "n:1" }]);
    let first = ada.invoke("Send", &send).await.unwrap();
    assert_eq!(ada.invoke("Send", &send).await.unwrap(), first);
    assert_eq!(grace.invoke("Send", &send).await.unwrap(), first);
    let other = grace.invoke("Send", &json!(["lobby", "twice", { "nonce": "n:2" }])).await.unwrap();

    for client in [&mut ada, &mut grace] {
        let message = client.event("message").await;
        assert_eq!((&message["id"], &message["nonce"]), (&first["id"], &json!("n:1")));
        assert_eq!(client.event("message").await["id"], other["id"]);
    }
}

#[tokio::test]
async fn a_sender_that_wants_no_echo_hears_only_the_others() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    ada.invoke("Send", &json!(["lobby", "quiet", { "echo": false }])).await.unwrap();
    say(&mut grace, "loud").await;

    assert_eq!(grace.hears().await.1, "quiet");
    assert_eq!(ada.hears().await.1, "loud");
}

#[tokio::test]
async fn a_client_that_reconnects_to_another_hub_gets_the_messages_that_it_missed() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;
    say(&mut ada, "heard").await;
    let last = grace.event("message").await["id"].clone();
    grace.stop().await;
    say(&mut ada, "missed").await;
    say(&mut ada, "missed, too").await;

    let mut grace = Client::connect(&cluster.hub_a.url()).await;
    let joined = join(&mut grace, json!({ "since": last })).await;

    assert_eq!(texts(&joined), ["missed", "missed, too"]);
    assert_eq!(joined["gap"], false);
    // The same goes for a hub that had no members in this room.
    let third = cluster.another("hub-c").await;
    let mut grace = Client::connect(&third.url()).await;
    let joined = join(&mut grace, json!({ "since": last })).await;
    assert_eq!((texts(&joined), &joined["gap"]), (vec!["missed", "missed, too"], &json!(false)));
}

#[tokio::test]
async fn messages_that_are_no_longer_stored_are_a_gap() {
    let redis = Redis::start(cluster::PASSWORD).await;
    let cluster = Cluster::with(redis, &["--history-messages", "3", "--history-seconds", "3600"]).await;
    let mut ada = Client::join(&cluster.hub_a.url(), "lobby", "Ada").await;
    let mut ids = Vec::new();
    for n in 0..6 {
        ids.push(say(&mut ada, &n.to_string()).await);
    }

    for hub in [&cluster.hub_a, &cluster.hub_b] {
        let mut grace = Client::connect(&hub.url()).await;
        let joined = join(&mut grace, json!({ "since": ids[1] })).await;
        assert_eq!((texts(&joined), &joined["gap"]), (vec!["3", "4", "5"], &json!(true)));
        let joined = join(&mut grace, json!({ "since": ids[2] })).await;
        assert_eq!((texts(&joined), &joined["gap"]), (vec!["3", "4", "5"], &json!(false)));
    }
    let number = async |command: &[&str]| -> u64 {
        redis::from_redis_value(cluster.redis.ask(command).await.unwrap()).unwrap()
    };
    assert_eq!(number(&["XLEN", "chatcluster:history:lobby"]).await, 3);
    assert!((1..=3_600_000).contains(&number(&["PTTL", "chatcluster:history:lobby"]).await));
    ada.invoke("Send", &json!(["lobby", "x", { "nonce": "n" }])).await.unwrap();
    assert!((1..=120_000).contains(&number(&["PTTL", "chatcluster:nonce:5:lobby:n"]).await));
}

#[tokio::test]
async fn without_a_history_messages_are_heard_in_order_and_missed_ones_are_a_gap() {
    let redis = Redis::start(cluster::PASSWORD).await;
    let cluster = Cluster::with(redis, &["--history-messages", "0"]).await;
    let (mut ada, mut grace) = cluster.members().await;

    let first = say(&mut ada, "one").await;
    let second = say(&mut ada, "two").await;

    assert_eq!((grace.hears().await.1, grace.hears().await.1), ("one".into(), "two".into()));
    let (epoch, number) = epoch_and_number(&json!(first));
    assert_eq!(epoch_and_number(&json!(second)), (epoch, number + 1));
    let joined = join(&mut grace, json!({ "since": first })).await;
    assert_eq!((texts(&joined), &joined["gap"], &joined["last"]), (vec![], &json!(true), &json!(second)));
    let joined = join(&mut grace, json!({ "since": second })).await;
    assert_eq!((texts(&joined), &joined["gap"]), (vec![], &json!(false)));
}

#[tokio::test]
async fn the_history_of_a_room_with_members_outlives_its_retention_time() {
    let redis = Redis::start(cluster::PASSWORD).await;
    let cluster = Cluster::with(redis, &["--history-seconds", "1"]).await;
    let mut ada = Client::join(&cluster.hub_a.url(), "lobby", "Ada").await;
    let mut attic = Client::join(&cluster.hub_a.url(), "attic", "Ada").await;
    say(&mut ada, "kept").await;
    attic.invoke("Send", &json!(["attic", "forgotten"])).await.unwrap();
    attic.invoke("Leave", &json!(["attic"])).await.unwrap();

    crate::support::until("the history of the attic is gone", async || {
        let there = cluster.redis.ask(&["EXISTS", "chatcluster:history:attic"]).await.unwrap();
        (there == redis::Value::Int(0)).then_some(())
    })
    .await;

    let mut grace = Client::connect(&cluster.hub_b.url()).await;
    assert_eq!(texts(&join(&mut grace, json!({})).await), ["kept"]);
    assert_eq!(grace.invoke("Join", &json!(["attic"])).await.unwrap()["history"], json!([]));
}

#[tokio::test]
async fn a_hub_without_redis_keeps_the_history_in_memory() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let first = say(&mut ada, "one").await;
    let send = json!(["lobby", "two", { "nonce": "n", "echo": false }]);
    let second = ada.invoke("Send", &send).await.unwrap();
    assert_eq!(ada.invoke("Send", &send).await.unwrap(), second);
    ada.invoke("Leave", &json!(["lobby"])).await.unwrap();

    let joined = join(&mut ada, json!({ "since": first })).await;

    assert_eq!(texts(&joined), ["two"]);
    assert_eq!((&joined["gap"], &joined["last"]), (&json!(false), &second["id"]));
    assert_eq!(texts(&join(&mut ada, json!({})).await), ["one", "two"]);
    assert_eq!(ada.hears().await.1, "one");
    assert!(!ada.has("message"));
}
