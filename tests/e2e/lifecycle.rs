//! The end of a cluster, and its return.

use serde_json::json;

use crate::pods::{Probe, pods};
use crate::support::{Kind, Namespace, PODS};

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
