//! The fate of messages when Redis or a hub dies.

use std::collections::HashSet;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use crate::support::{Balancer, Client, Cluster, RawClient, Redis, cluster, until};

/// A history that holds every message that is sent while a client is away.
const LONG_HISTORY: &[&str] = &["--history-messages", "10000"];

/// A client that sends numbered texts, one after the other, until it is stopped or its hub dies. Its task
/// returns the texts that were confirmed.
struct Sender {
    stop: CancellationToken,
    task: JoinHandle<Vec<String>>,
}

impl Sender {
    async fn start(hub: std::net::SocketAddr, name: &'static str) -> Self {
        let mut client = RawClient::join(hub, "lobby").await;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let task = tokio::spawn(async move {
            let mut confirmed = Vec::new();
            for n in 0.. {
                if stopped.is_cancelled() {
                    break;
                }
                let text = format!("{name} {n}");
                let call = r#"{"type":1,"target":"Send","invocationId":"#;
                client.write(&format!("{call}\"{text}\",\"arguments\":[\"lobby\",\"{text}\"]}}\x1e")).await;
                let answer = format!(r#"{{"type":3,"invocationId":"{text}","#);
                let answer = loop {
                    match client.try_record().await {
                        Some(record) if record.starts_with(&answer) => break record,
                        Some(_) => {}
                        None => return confirmed,
                    }
                };
                if answer.contains(r#""result":{"id":""#) {
                    confirmed.push(text);
                } else {
                    // Without Redis, a message is refused at once.
                    tokio::time::sleep(Duration::from_millis(10)).await;
                }
            }
            confirmed
        });
        Self { stop, task }
    }

    async fn stop(self) -> Vec<String> {
        self.stop.cancel();
        self.task.await.expect("the sender ends")
    }
}

async fn hears(client: &mut Client, text: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let message = client.event("message").await;
        let is_last = message["text"] == text;
        heard.push(message);
        if is_last {
            return heard;
        }
    }
}

fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["text"].as_str().expect("a text").to_owned()).collect()
}

/// Asserts that the messages belong to one history, and are numbered without a gap.
fn assert_in_order(messages: &[Value]) {
    let position = |message: &Value| {
        let (epoch, number) = message["id"].as_str().and_then(|id| id.split_once('-')).expect("an id");
        (epoch.to_owned(), number.parse::<u64>().expect("a number"))
    };
    for two in messages.windows(2) {
        let ((epoch, number), next) = (position(&two[0]), position(&two[1]));
        assert_eq!(next, (epoch, number + 1));
    }
}

#[tokio::test]
async fn a_redis_that_is_killed_under_load_and_comes_back_has_lost_no_confirmed_message() {
    let mut cluster = Cluster::with(Redis::durable(cluster::PASSWORD).await, LONG_HISTORY).await;
    let (mut ada, mut grace) = cluster.members().await;
    let senders = [
        Sender::start(cluster.hub_a.address(), "a").await,
        Sender::start(cluster.hub_b.address(), "b").await,
    ];
    for _ in 0..50 {
        ada.event("message").await;
    }

    cluster.redis.kill().await;
    cluster.hub_a.not_ready_because("Redis").await;
    cluster.redis.start_again().await;
    cluster.ready().await;
    let mut after = Client::connect(&cluster.hub_b.url()).await;
    after.invoke("Join", &json!(["lobby"])).await.unwrap();
    for _ in 0..20 {
        after.event("message").await;
    }
    let mut confirmed = Vec::new();
    for sender in senders {
        confirmed.extend(sender.stop().await);
    }
    after.invoke("Send", &json!(["lobby", "end"])).await.unwrap();

    let heard = hears(&mut grace, "end").await;
    assert_in_order(&heard);
    assert_in_order(&hears(&mut ada, "end").await);
    let heard: HashSet<_> = texts(&heard).into_iter().collect();
    let lost: Vec<_> = confirmed.iter().filter(|text| !heard.contains(*text)).collect();
    assert!(lost.is_empty(), "of {}: {lost:?}", confirmed.len());
    for client in [&ada, &grace] {
        assert!(!client.has("reconnecting") && !client.has("gap"));
    }
}

#[tokio::test]
async fn a_hub_that_is_killed_under_load_takes_no_confirmed_message_with_it() {
    let mut cluster = Cluster::with(Redis::start(cluster::PASSWORD).await, LONG_HISTORY).await;
    let balancer = Balancer::before(vec![cluster.hub_a.address(), cluster.hub_b.address()]).await;
    let mut ada = Client::join(&balancer.url(), "lobby", "Ada").await;
    let mut grace = Client::join(&cluster.hub_b.url(), "lobby", "Grace").await;
    let senders = [
        Sender::start(cluster.hub_a.address(), "a").await,
        Sender::start(cluster.hub_b.address(), "b").await,
    ];
    let mut heard = Vec::new();
    for _ in 0..50 {
        heard.push(ada.event("message").await);
    }

    cluster.hub_a.kill().await;

    ada.event("reconnected").await;
    // These are the messages that arrived before the connection was lost.
    while ada.has("message") {
        heard.push(ada.event("message").await);
    }
    let since = &heard.last().unwrap()["id"];
    let joined = ada.invoke("Join", &json!(["lobby", "Ada", { "since": since }])).await.unwrap();
    assert_eq!((&joined["gap"], &joined["pod"]), (&json!(false), &json!("hub-b")));
    heard.extend(joined["history"].as_array().unwrap().iter().cloned());
    let mut confirmed = Vec::new();
    for sender in senders {
        confirmed.extend(sender.stop().await);
    }
    grace.invoke("Send", &json!(["lobby", "end"])).await.unwrap();
    heard.extend(hears(&mut ada, "end").await);

    let hers = hears(&mut grace, "end").await;
    for heard in [&heard, &hers] {
        assert_in_order(heard);
        let heard: HashSet<_> = texts(heard).into_iter().collect();
        let lost: Vec<_> = confirmed.iter().filter(|text| !heard.contains(*text)).collect();
        assert!(lost.is_empty(), "of {}: {lost:?}", confirmed.len());
    }
}

#[tokio::test]
async fn a_redis_that_lost_its_data_is_a_gap_for_everyone_and_then_messages_flow_again() {
    let mut cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;
    let before = ada.invoke("Send", &json!(["lobby", "before"])).await.unwrap()["id"].clone();
    hears(&mut grace, "before").await;
    hears(&mut ada, "before").await;

    cluster.redis.kill().await;
    cluster.redis.start_again().await;

    for client in [&mut ada, &mut grace] {
        assert_eq!(client.event("gap").await, json!({ "room": "lobby", "after": before }));
    }
    cluster.ready().await;
    let after = ada.invoke("Send", &json!(["lobby", "after"])).await.unwrap()["id"].clone();
    assert_eq!(grace.event("message").await["id"], after);
    let mut late = Client::connect(&cluster.hub_b.url()).await;
    let joined = late.invoke("Join", &json!(["lobby", "Late", { "since": before }])).await.unwrap();
    assert_eq!((&joined["gap"], &joined["history"][0]["id"]), (&json!(true), &after));
    assert!(!ada.has("gap") && !grace.has("gap") && !grace.has("reconnecting"));
}

#[tokio::test]
async fn a_redis_that_came_back_with_an_older_state_assigns_no_id_twice() {
    let mut cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;
    ada.invoke("Send", &json!(["lobby", "saved"])).await.unwrap();
    cluster.redis.ask(&["SAVE"]).await.unwrap();
    let unsaved = ada.invoke("Send", &json!(["lobby", "not saved"])).await.unwrap()["id"].clone();
    hears(&mut grace, "not saved").await;

    cluster.redis.kill().await;
    cluster.redis.start_again().await;

    assert_eq!(grace.event("gap").await["after"], unsaved);
    cluster.ready().await;
    let next = grace.invoke("Send", &json!(["lobby", "new"])).await.unwrap()["id"].clone();
    assert_ne!(next, unsaved);
    assert_eq!(hears(&mut ada, "new").await.last().unwrap()["id"], next);
    let third = cluster.another("hub-c").await;
    let mut late = Client::connect(&third.url()).await;
    let joined = late.invoke("Join", &json!(["lobby", "Late", { "since": unsaved }])).await.unwrap();
    assert_eq!(joined["gap"], true);
    assert_eq!(texts(joined["history"].as_array().unwrap()), ["saved", "new"]);
}

#[tokio::test]
async fn scripts_that_redis_forgets_are_loaded_again() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.ask(&["SCRIPT", "FLUSH"]).await.unwrap();
    ada.invoke("Send", &json!(["lobby", "one"])).await.unwrap();
    cluster.redis.ask(&["SCRIPT", "FLUSH"]).await.unwrap();
    let mut late = Client::connect(&cluster.hub_b.url()).await;

    assert_eq!(late.invoke("Join", &json!(["attic"])).await.unwrap()["history"], json!([]));
    assert_eq!(grace.hears().await.1, "one");
}

#[tokio::test]
async fn a_message_that_a_full_redis_refuses_is_refused_with_this_reason() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "1"]).await.unwrap();
    let refused = ada.invoke("Send", &json!(["lobby", "x"])).await.unwrap_err();
    assert!(refused.contains("The message was not sent: the backplane is full"), "{refused}");
    cluster.redis.ask(&["CONFIG", "SET", "maxmemory", "0"]).await.unwrap();
    ada.invoke("Send", &json!(["lobby", "at last"])).await.unwrap();
    assert_eq!(grace.hears().await.1, "at last");
    assert!(!cluster.hub_a.log().contains("at last"), "the log has the text of a message");
}

#[tokio::test]
async fn hubs_leave_a_redis_that_became_a_replica_until_there_is_a_master_at_its_address() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;
    ada.invoke("Send", &json!(["lobby", "before"])).await.unwrap();
    hears(&mut grace, "before").await;

    // It replicates a Redis that does not exist, so it keeps its data. It does not close its connections.
    cluster.redis.ask(&["REPLICAOF", "127.0.0.1", "1"]).await.unwrap();

    // One hub learns it from a write, the other one without a write.
    let refused = ada.invoke("Send", &json!(["lobby", "lost"])).await.unwrap_err();
    assert!(refused.contains("The message was not sent: the backplane"), "{refused}");
    for hub in [&cluster.hub_a, &cluster.hub_b] {
        hub.not_ready_because("is a replica, which takes no writes").await;
    }
    until("both hubs have closed their connections", async || {
        let lines = cluster.redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).await.expect("Redis answers");
        let lines: String = redis::from_redis_value(lines).expect("text");
        lines.is_empty().then_some(())
    })
    .await;
    cluster.redis.ask(&["REPLICAOF", "NO", "ONE"]).await.unwrap();
    cluster.ready().await;

    ada.invoke("Send", &json!(["lobby", "after"])).await.unwrap();
    assert_eq!(texts(&hears(&mut grace, "after").await), ["after"]);
    assert_eq!(texts(&hears(&mut ada, "after").await), ["before", "after"]);
    for client in [&ada, &grace] {
        assert!(!client.has("reconnecting") && !client.has("gap"));
    }
}

#[tokio::test]
async fn a_client_that_joins_during_an_outage_of_redis_is_told_of_a_gap_afterwards() {
    let mut cluster = Cluster::durable().await;
    let mut ada = Client::join(&cluster.hub_a.url(), "lobby", "Ada").await;
    ada.invoke("Send", &json!(["lobby", "before"])).await.unwrap();
    cluster.redis.kill().await;
    cluster.hub_b.not_ready_because("Redis").await;

    let mut grace = Client::connect(&cluster.hub_b.url()).await;
    let joined = grace.invoke("Join", &json!(["lobby"])).await.unwrap();
    assert_eq!((&joined["last"], &joined["history"]), (&json!(null), &json!([])));
    cluster.redis.start_again().await;

    assert_eq!(grace.event("gap").await, json!({ "room": "lobby", "after": null }));
    let joined = grace.invoke("Join", &json!(["lobby"])).await.unwrap();
    assert_eq!(joined["history"][0]["text"], "before");
}

#[tokio::test]
async fn a_password_that_changes_while_redis_runs_is_used_for_the_next_connection_and_costs_no_client() {
    let mut cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.ask(&["CONFIG", "SET", "requirepass", "s3cret-two"]).await.unwrap();
    cluster.redis.change_password("s3cret-two");
    cluster.folder.write("password", "s3cret-two\n");
    ada.invoke("Send", &json!(["lobby", "as before"])).await.unwrap();
    assert_eq!(grace.hears().await.1, "as before");
    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();

    cluster.reconnected().await;
    grace.invoke("Send", &json!(["lobby", "and after"])).await.unwrap();
    assert_eq!(hears(&mut ada, "and after").await.len(), 2);
    assert!(!ada.has("reconnecting") && !grace.has("reconnecting") && !ada.has("gap"));
    for log in [cluster.hub_a.log(), cluster.hub_b.log()] {
        assert!(!log.contains("s3cret"), "{log}");
    }
}
