//! Two hubs and one Redis, which restarts, hangs, changes its password and receives foreign messages.

use serde_json::json;

use crate::support::{Client, Cluster, Folder, HubProcess, Redis, signal, until};

/// Asserts that both clients hear both clients.
async fn assert_they_talk(ada: &mut Client, grace: &mut Client) {
    for (speaks, name, listens) in [("x", "Ada", false), ("y", "Grace", true)] {
        let (speaker, listener) = if listens { (&mut *grace, &mut *ada) } else { (&mut *ada, &mut *grace) };
        speaker.invoke("Send", &json!(["lobby", speaks])).await.unwrap();
        assert_eq!(listener.hears().await, (name.into(), speaks.into()));
        assert_eq!(speaker.hears().await, (name.into(), speaks.into()));
    }
}

#[tokio::test]
async fn messages_cross_between_two_hubs_both_ways() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    assert_they_talk(&mut ada, &mut grace).await;

    assert_eq!(ada.event("welcome").await["backplane"], "redis");
    assert_eq!(grace.event("welcome").await["pod"], "hub-b");
}

#[tokio::test]
async fn everyone_hears_a_room_in_the_same_order() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    for n in 0..50 {
        ada.send("Send", &json!(["lobby", format!("ada {n}")])).await;
        grace.send("Send", &json!(["lobby", format!("grace {n}")])).await;
    }

    for _ in 0..100 {
        assert_eq!(ada.hears().await, grace.hears().await);
    }
}

#[tokio::test]
async fn a_restart_of_redis_loses_no_client_and_messages_flow_again() {
    let mut cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.kill().await;

    for hub in [&cluster.hub_a, &cluster.hub_b] {
        let reason = hub.not_ready_because("Redis").await;
        assert_eq!(reason.trim_end().lines().filter(|line| line.starts_with("not ready: ")).count(), 1);
        assert_eq!(hub.get("/healthz").await.unwrap().0, 200);
    }
    let unsent = ada.invoke("Send", &json!(["lobby", "lost"])).await.unwrap_err();
    assert!(unsent.contains("The message was not sent: the backplane"), "{unsent}");
    // A room that is joined meanwhile works later, too.
    ada.invoke("Join", &json!(["attic", "Ada"])).await.unwrap();

    cluster.redis.start_again().await;
    cluster.ready().await;

    assert_they_talk(&mut ada, &mut grace).await;
    grace.invoke("Join", &json!(["attic", "Grace"])).await.unwrap();
    grace.invoke("Send", &json!(["attic", "up here"])).await.unwrap();
    assert_eq!(ada.hears().await, ("Grace".into(), "up here".into()));
    assert!(!ada.has("reconnecting") && !grace.has("reconnecting"));
    assert!(
        (cluster.hub_a.metric("chatcluster_hub_backplane_reconnects_total").await - 1.0).abs() < f64::EPSILON
    );
}

#[tokio::test]
async fn a_hub_may_start_before_redis() {
    let mut redis = Redis::reserve("s3cret");
    let folder = Folder::new();
    let file = folder.write("password", "s3cret");
    let hub = HubProcess::start_with(&redis, &file, "hub-a", &[]).await;
    hub.not_ready_because("cannot use Redis at 127.0.0.1").await;

    redis.start_again().await;

    hub.ready().await;
    let lines = hub.log().matches("no backplane; trying again").count();
    assert_eq!(lines, 1, "the hub does not log one line for all attempts: {}", hub.log());
}

#[tokio::test]
async fn a_wrong_password_is_reported_but_never_shown() {
    let redis = Redis::start("s3cret-right").await;
    let folder = Folder::new();
    let file = folder.write("password", "s3cret-wrong\n");
    let hub = HubProcess::start_with(&redis, &file, "hub-a", &[]).await;

    let answer = hub.not_ready_because("refuses the password").await;

    let metrics = hub.get("/metrics").await.unwrap().1;
    for text in [&answer, &hub.log(), &metrics] {
        assert!(!text.contains("s3cret"), "{text}");
    }
    assert!(hub.log().contains("refuses the password in"), "{}", hub.log());

    folder.write("password", "s3cret-right\n");
    hub.ready().await;
}

#[tokio::test]
async fn a_missing_password_file_is_waited_for() {
    let redis = Redis::start("s3cret").await;
    let folder = Folder::new();
    let hub = HubProcess::start_with(&redis, &folder.path().join("password"), "hub-a", &[]).await;
    hub.not_ready_because("cannot read the password file").await;

    folder.write("password", "s3cret");

    hub.ready().await;
}

#[tokio::test]
async fn a_rotated_password_is_read_from_the_file() {
    let mut cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.kill().await;
    cluster.redis.change_password("s3cret-two");
    cluster.redis.start_again().await;
    cluster.hub_a.not_ready_because("refuses the password").await;
    cluster.folder.write("password", "s3cret-two\n");

    cluster.ready().await;
    assert_they_talk(&mut ada, &mut grace).await;
    assert!(!ada.has("reconnecting") && !grace.has("reconnecting"));
}

#[tokio::test]
async fn a_redis_that_hangs_makes_the_hub_unready_until_it_answers() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    signal(cluster.redis.pid(), "STOP").await;
    cluster.hub_a.not_ready_because("").await;
    signal(cluster.redis.pid(), "CONT").await;

    cluster.ready().await;
    assert_they_talk(&mut ada, &mut grace).await;
}

#[tokio::test]
async fn a_connection_that_redis_kills_is_reopened() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    cluster.redis.ask(&["CLIENT", "KILL", "TYPE", "pubsub"]).await.unwrap();

    cluster.reconnected().await;
    assert_they_talk(&mut ada, &mut grace).await;
}

#[tokio::test]
async fn redis_knows_each_hub_by_its_pod_from_the_start() {
    let cluster = Cluster::start().await;

    let list = cluster.redis.ask(&["CLIENT", "LIST", "TYPE", "pubsub"]).await.unwrap();

    let list: String = redis::from_redis_value(list).unwrap();
    for name in ["name=hub-a ", "name=hub-b "] {
        let line = list.lines().find(|line| line.contains(name)).unwrap_or_else(|| panic!("{list}"));
        assert!(line.contains(" sub=3 "), "{line}");
    }
}

#[tokio::test]
async fn a_room_is_subscribed_while_it_has_members_here() {
    let cluster = Cluster::start().await;
    let own = async || {
        let (hubs, channels): (Vec<_>, Vec<_>) = cluster
            .redis
            .channels()
            .await
            .into_iter()
            .partition(|channel| channel.starts_with("chatcluster:hub:"));
        assert_eq!(hubs.len(), 2, "each hub has a channel of its own");
        channels
    };
    assert_eq!(own().await, ["chatcluster:all", "chatcluster:canary"]);

    let mut ada = Client::join(&cluster.hub_a.url(), "lobby", "Ada").await;
    assert_eq!(own().await, ["chatcluster:all", "chatcluster:canary", "chatcluster:room:lobby"]);

    ada.invoke("Leave", &json!(["lobby"])).await.unwrap();
    until("the room is unsubscribed", async || {
        (own().await == ["chatcluster:all", "chatcluster:canary"]).then_some(())
    })
    .await;
}

#[tokio::test]
async fn each_hub_hears_the_heartbeats_of_the_other_until_that_ends() {
    let mut cluster = Cluster::start().await;
    let peer = "chatcluster_hub_canary_age_seconds{peer=\"hub-b\"}";
    until("hub-a hears hub-b", async || {
        let (_, metrics) = cluster.hub_a.get("/metrics").await?;
        metrics.contains(peer).then_some(())
    })
    .await;

    cluster.hub_b.terminate().await;
    cluster.hub_b.ended().await;

    until("hub-a forgets hub-b", async || {
        let (_, metrics) = cluster.hub_a.get("/metrics").await?;
        (!metrics.contains(peer)).then_some(())
    })
    .await;
}

#[tokio::test]
async fn two_event_keys_on_one_redis_do_not_mix() {
    let redis = Redis::start("s3cret").await;
    let folder = Folder::new();
    let file = folder.write("password", "s3cret");
    let ours = HubProcess::start_with(&redis, &file, "hub-a", &["--event-key", "team.ours"]).await;
    let theirs = HubProcess::start_with(&redis, &file, "hub-b", &["--event-key", "team.theirs"]).await;
    ours.ready().await;
    theirs.ready().await;
    let mut ada = Client::join(&ours.url(), "lobby", "Ada").await;
    let mut eve = Client::join(&theirs.url(), "lobby", "Eve").await;

    ada.invoke("Send", &json!(["lobby", "ours"])).await.unwrap();
    ada.hears().await;
    eve.invoke("Send", &json!(["lobby", "theirs"])).await.unwrap();

    assert_eq!(eve.hears().await, ("Eve".into(), "theirs".into()));
}

#[tokio::test]
async fn messages_that_a_stranger_publishes_reach_no_client() {
    let cluster = Cluster::start().await;
    let (mut ada, mut grace) = cluster.members().await;

    for payload in ["", "hello", "{\"type\":7}\u{1e}", "{\"type\":1,}\u{1e}{\"type\":7}\u{1e}"] {
        cluster.redis.ask(&["PUBLISH", "chatcluster:room:lobby", payload]).await.unwrap();
    }

    assert_they_talk(&mut ada, &mut grace).await;
    assert!(
        (cluster.hub_a.metric("chatcluster_hub_messages_not_understood_total").await - 4.0).abs()
            < f64::EPSILON
    );
}
