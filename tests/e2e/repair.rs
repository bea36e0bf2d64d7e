//! Every deleted child comes back, and the chat with it.

use std::time::Instant;

use serde_json::json;

use crate::people::{People, speak_until_heard};
use crate::pods::Probe;
use crate::support::{Chat, Kind, Namespace, PODS, SOON};

#[tokio::test]
async fn each_deleted_child_comes_back_and_messages_flow_again() {
    let ns = Namespace::new("repair").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes_ready().await;
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;
    assert_eq!(probe.redis("set kept yes").await.as_deref(), Ok("OK"));

    for child in lobby.children() {
        let password = lobby.password().await;
        let before = child.uid().await;
        let start = Instant::now();

        child.delete().await;

        // A workload that is deleted in the foreground waits for its pods to end; these are not.
        ns.wait_for_another(&child, &before, SOON).await;
        let back = start.elapsed();
        people_talk(&ns, &lobby).await;
        lobby.becomes_ready().await;
        println!(
            "{child} came back in {back:?}, and people talked and it was ready after {:?}",
            start.elapsed()
        );
        lobby.tells_of_repair(&child, &[]).await;
        let holds_the_password = child.kind == Kind::Secret && child.name == "lobby-redis-auth";
        let is_new = lobby.password().await != password;
        assert_eq!(is_new, holds_the_password, "{child}: the password is new only if its Secret was deleted");
    }

    let probe = Probe::like_a_hub(&lobby).await; // the first probe has an old password
    probe.reaches_redis().await;
    assert_eq!(probe.redis("get kept").await.as_deref(), Ok("yes"), "the data outlived its StatefulSet");
}

/// Waits until people at two hubs hear each other.
async fn people_talk(ns: &Namespace, lobby: &Chat<'_>) {
    ns.eventually(PODS, "the cluster has an address", async || {
        match lobby.get().await.status.and_then(|status| status.address) {
            Some(_) => Ok(()),
            None => Err("none".into()),
        }
    })
    .await;
    let people = People::of(lobby).await;
    let [ada, bob] = people.two_in_the_garden().await;
    speak_until_heard(ns, &ada, &bob).await;
}
