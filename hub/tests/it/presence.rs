//! Presence: the members of a room on two hubs, and who is writing.

use serde_json::{Value, json};

use crate::support::{Client, Cluster, HubProcess, signal, until};

async fn join(client: &mut Client, name: &str) -> Value {
    client.invoke("Join", &json!(["lobby", name, { "presence": true }])).await.expect("the client joins")
}

fn names(people: &Value) -> Vec<&str> {
    let mut names: Vec<_> = people
        .as_array()
        .expect("people")
        .iter()
        .map(|person| person["name"].as_str().expect("a name"))
        .collect();
    names.sort_unstable();
    names
}

/// Ada on one hub and Grace on the other, both in the lobby with presence.
async fn two(cluster: &Cluster) -> (Client, Client) {
    let (mut ada, mut grace) =
        (Client::connect(&cluster.hub_a.url()).await, Client::connect(&cluster.hub_b.url()).await);
    join(&mut ada, "Ada").await;
    join(&mut grace, "Grace").await;
    (ada, grace)
}

/// Waits until a client has been told these counts, and returns who came and who left meanwhile.
async fn told(client: &mut Client, count: usize, pods: usize) -> (Vec<String>, Vec<String>) {
    let (mut joined, mut left) = (Vec::new(), Vec::new());
    loop {
        let told = client.event("presence").await;
        assert_eq!(told["room"], "lobby");
        joined.extend(names(&told["joined"]).into_iter().map(str::to_owned));
        left.extend(names(&told["left"]).into_iter().map(str::to_owned));
        if told["count"] == count && told["pods"] == pods {
            return (joined, left);
        }
    }
}

#[tokio::test]
async fn a_client_that_asks_for_presence_is_told_who_comes_and_goes_on_any_hub() {
    let cluster = Cluster::start().await;
    let mut ada = Client::connect(&cluster.hub_a.url()).await;
    assert_eq!(join(&mut ada, "Ada").await["members"], 1);
    assert_eq!(told(&mut ada, 1, 1).await.0, ["Ada"]);

    let mut grace = Client::connect(&cluster.hub_b.url()).await;
    let joined = join(&mut grace, "Grace").await;
    assert_eq!((&joined["members"], &joined["pods"]), (&json!(2), &json!(2)));
    assert_eq!(told(&mut ada, 2, 2).await.0, ["Grace"]);
    let who = ada.invoke("Who", &json!(["lobby"])).await.unwrap();
    assert_eq!(
        (&who["count"], &who["pods"], names(&who["members"])),
        (&json!(2), &json!(2), vec!["Ada", "Grace"])
    );
    assert_eq!(grace.invoke("Who", &json!(["lobby"])).await.unwrap()["count"], 2);

    grace.invoke("Leave", &json!(["lobby"])).await.unwrap();
    assert_eq!(told(&mut ada, 1, 1).await.1, ["Grace"]);
    let error = grace.invoke("Who", &json!(["lobby"])).await.unwrap_err();
    assert!(error.contains("You are not in the room 'lobby'"), "{error}");
}

#[tokio::test]
async fn a_client_that_does_not_ask_for_presence_is_told_nothing() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let mut grace = Client::connect(&hub.url()).await;
    join(&mut grace, "Grace").await;
    told(&mut grace, 2, 1).await;

    grace.invoke("Typing", &json!(["lobby"])).await.unwrap();
    grace.invoke("Send", &json!(["lobby", "hi"])).await.unwrap();

    ada.hears().await;
    assert!(!ada.has("presence") && !ada.has("typing"));
}

#[tokio::test]
async fn members_on_a_hub_that_is_killed_are_gone() {
    let mut cluster = Cluster::start().await;
    let (mut ada, _grace) = two(&cluster).await;
    told(&mut ada, 2, 2).await;

    cluster.hub_b.kill().await;

    assert_eq!(told(&mut ada, 1, 1).await.1, ["Grace"]);
    assert_eq!(ada.invoke("Who", &json!(["lobby"])).await.unwrap()["count"], 1);
}

#[tokio::test]
async fn members_on_a_hub_that_hangs_are_gone_until_it_goes_on() {
    let cluster = Cluster::start().await;
    let (mut ada, _grace) = two(&cluster).await;
    told(&mut ada, 2, 2).await;

    signal(cluster.hub_b.pid(), "STOP").await;
    told(&mut ada, 1, 1).await;
    signal(cluster.hub_b.pid(), "CONT").await;

    assert_eq!(told(&mut ada, 2, 2).await.0, ["Grace"]);
}

#[tokio::test]
async fn nobody_comes_or_goes_because_of_an_outage_of_redis() {
    let mut cluster = Cluster::start().await;
    let (mut ada, _grace) = two(&cluster).await;
    told(&mut ada, 2, 2).await;

    cluster.redis.kill().await;
    cluster.hub_a.not_ready_because("Redis").await;
    let mut edsger = Client::connect(&cluster.hub_b.url()).await;
    join(&mut edsger, "Edsger").await;
    cluster.redis.start_again().await;

    assert_eq!(told(&mut ada, 3, 2).await, (vec!["Edsger".into()], vec![]));
}

#[tokio::test]
async fn the_others_are_told_who_is_writing_but_not_too_often() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = two(&cluster).await;

    for _ in 0..5 {
        ada.invoke("Typing", &json!(["lobby"])).await.unwrap();
    }
    ada.invoke("Send", &json!(["lobby", "done"])).await.unwrap();

    assert_eq!(grace.event("typing").await, json!({ "room": "lobby", "from": "Ada" }));
    grace.hears().await;
    ada.hears().await;
    assert!(!grace.has("typing") && !ada.has("typing"));
}

#[tokio::test]
async fn presence_messages_that_a_stranger_publishes_are_counted_and_do_no_harm() {
    let cluster = Cluster::start().await;
    let mut ada = Client::connect(&cluster.hub_a.url()).await;
    join(&mut ada, "Ada").await;
    let channel = "chatcluster:room:lobby";

    for payload in [r#"{"k":"list"}"#, r#"{"k":"typing","by":"x","from":"y"}"#, r#"{"k":"gone","i":"a"}"#] {
        cluster.redis.ask(&["PUBLISH", channel, payload]).await.unwrap();
    }

    until("the hub has counted them", async || {
        let count = cluster.hub_a.metric("chatcluster_hub_messages_not_understood_total").await;
        (count >= 3.0).then_some(())
    })
    .await;
    assert_eq!(ada.invoke("Who", &json!(["lobby"])).await.unwrap()["count"], 1);
    assert!(!ada.has("typing"));
}
