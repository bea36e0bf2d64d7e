//! A cluster at rest, with a new password, and deleted and recreated.

use serde_json::json;

use crate::people::{People, speak_until_heard};
use crate::pods::{Probe, pods};
use crate::support::{A_WHILE, Chat, Kind, Namespace, PODS, SOON};

#[tokio::test]
async fn deleting_a_cluster_removes_all_but_the_volume_and_recreating_it_finds_the_data() {
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

    lobby.has_no_children(PODS).await;
    ns.eventually(PODS, "the pods are gone", async || {
        let left = pods(&lobby, "hub").await.len() + pods(&lobby, "backplane").await.len();
        if left == 0 { Ok(()) } else { Err(format!("{left} pods")) }
    })
    .await;
    assert_eq!(volume.uid().await, before, "the volume was deleted");

    let lobby = ns.chat("lobby", json!({})).await;

    lobby.becomes_ready().await;
    assert_eq!(volume.uid().await, before, "there is another volume");
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;
    assert_eq!(probe.redis("get kept").await.as_deref(), Ok("yes"));
}

/// The resource versions of a cluster and its children, which every write changes.
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
    ns.eventually(SOON, "the cluster comes to rest", async || {
        let before = versions(&lobby).await;
        tokio::time::sleep(A_WHILE).await;
        if versions(&lobby).await == before { Ok(()) } else { Err("its objects are being written".into()) }
    })
    .await;

    lobby.touch().await;

    let before = versions(&lobby).await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(versions(&lobby).await, before, "objects were written although nothing had changed");
}

#[tokio::test]
async fn a_changed_password_reaches_redis_and_the_hubs() {
    let ns = Namespace::new("rotation").await;
    ns.apply_secret("mine", json!({"redis.password": "the-first-password"})).await;
    let lobby = ns.chat("lobby", json!({"redis": {"auth": {"existingSecret": {"name": "mine"}}}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let [ada, bob] = people.two_in_the_garden().await;
    let former = Probe::like_a_hub(&lobby).await;
    former.reaches_redis().await;

    ns.apply_secret("mine", json!({"redis.password": "the-second-password"})).await;

    ns.eventually(PODS, "Redis accepts the new password and refuses the former", async || {
        let new = former.redis_as("REDISCLI_AUTH=the-second-password", "ping").await;
        let old = former.redis("ping").await;
        match (&new, &old) {
            (Ok(pong), Err(_)) if pong == "PONG" => Ok(()),
            _ => Err(format!("the new: {new:?}, the former: {old:?}")),
        }
    })
    .await;
    speak_until_heard(&ns, &ada, &bob).await;
    lobby.becomes("PasswordCurrent", "True", "Current", PODS).await;
    lobby.becomes_ready().await;
    assert_eq!(lobby.password().await, "the-second-password");
}
