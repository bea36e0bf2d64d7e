//! Rest, a new password, the end of a cluster and its return.

use serde_json::json;

use crate::people::{People, speaks_until_heard};
use crate::pods::{Probe, pods};
use crate::support::{A_WHILE, Chat, Kind, Namespace, PODS, SOON};

#[tokio::test]
async fn deleting_it_removes_all_but_the_volume_and_making_it_again_finds_the_data() {
    let ns = Namespace::new("again").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes_ready().await;
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;
    assert_eq!(probe.redis("set kept yes").await.as_deref(), Ok("OK"));
    probe.end().await;
    let volume = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    let before = volume.uid().await;

    lobby.delete().await;

    for child in lobby.children() {
        ns.eventually(PODS, &format!("{child} goes"), async || match child.find().await {
            None => Ok(()),
            Some(_) => Err("it is there".into()),
        })
        .await;
    }
    ns.eventually(PODS, "the pods go", async || {
        let left = pods(&lobby, "hub").await.len() + pods(&lobby, "backplane").await.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} pods")) }
    })
    .await;
    assert_eq!(volume.uid().await, before, "the volume stays");

    let lobby = ns.chat("lobby", json!({})).await;

    lobby.becomes_ready().await;
    assert_eq!(volume.uid().await, before, "the same volume");
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;
    assert_eq!(probe.redis("get kept").await.as_deref(), Ok("yes"));
}

/// The versions of all that belongs to a cluster: whoever writes to one of them changes it.
async fn versions(lobby: &Chat<'_>) -> Vec<(String, String)> {
    let mut versions = Vec::new();
    for child in lobby.children() {
        versions.push((child.to_string(), child.get().await["metadata"]["resourceVersion"].to_string()));
    }
    versions
        .push(("its ChatCluster".into(), lobby.get().await.metadata.resource_version.unwrap_or_default()));
    versions
}

#[tokio::test]
async fn a_ready_cluster_is_at_rest() {
    let ns = Namespace::new("rest").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    ns.eventually(SOON, "it comes to rest", async || {
        let before = versions(&lobby).await;
        tokio::time::sleep(A_WHILE).await;
        if versions(&lobby).await == before { Ok(()) } else { Err("it is being written to".into()) }
    })
    .await;

    lobby.touch().await;

    let before = versions(&lobby).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(versions(&lobby).await, before, "there was nothing to write");
}

#[tokio::test]
async fn a_changed_password_reaches_redis_and_the_hubs() {
    let ns = Namespace::new("rotation").await;
    let secret = |password: &str| {
        let data = json!({"redis.password": password});
        json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": data})
    };
    ns.apply(secret("the-first-password")).await;
    let lobby = ns.chat("lobby", json!({"redis": {"auth": {"existingSecret": {"name": "mine"}}}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    for person in [&ada, &bob] {
        person.join("garden").await;
    }
    let former = Probe::like_a_hub(&lobby).await;
    former.reaches_redis().await;

    ns.apply(secret("the-second-password")).await;

    ns.eventually(PODS, "Redis takes the new password and not the former", async || {
        let new = former.redis_as("REDISCLI_AUTH=the-second-password", "ping").await;
        let old = former.redis("ping").await;
        match (&new, &old) {
            (Ok(pong), Err(_)) if pong == "PONG" => Ok(()),
            _ => Err(format!("the new: {new:?}, the former: {old:?}")),
        }
    })
    .await;
    speaks_until_heard(&ns, &ada, &bob).await;
    speaks_until_heard(&ns, &bob, &ada).await;
    lobby.becomes("PasswordCurrent", "True", "Current", PODS).await;
    lobby.becomes_ready().await;
    assert_eq!(lobby.password().await, "the-second-password");
}
