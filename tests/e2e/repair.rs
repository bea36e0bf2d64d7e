//! Whatever child is deleted comes back, and the chat with it.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::people::{People, speaks_until_heard};
use crate::pods::Probe;
use crate::support::{Chat, Kind, Namespace, PODS};

/// Repairs are made on a watch event, so about a second; the rest is for a busy machine. A workload waits for its pods
/// to end first when it is deleted in the foreground, which nobody here does.
const AT_ONCE: Duration = Duration::from_secs(15);

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

        ns.eventually(AT_ONCE, &format!("{child} comes back"), async || child.replaced(&before).await).await;
        let back = start.elapsed();
        people_talk(&ns, &lobby).await;
        lobby.becomes_ready().await;
        println!(
            "{child} came back in {back:?}, and people talked and it was ready after {:?}",
            start.elapsed()
        );
        lobby.tells_of_repair(&child, &[]).await;
        let is_its_own = child.kind == Kind::Secret && child.name == "lobby-redis-auth";
        assert_eq!(lobby.password().await != password, is_its_own, "{child}: the password");
    }

    let probe = Probe::like_a_hub(&lobby).await; // it has the password of now
    probe.reaches_redis().await;
    assert_eq!(probe.redis("get kept").await.as_deref(), Ok("yes"), "the data outlived its StatefulSet");
}

/// People at two hubs come to hear each other.
async fn people_talk(ns: &Namespace, lobby: &Chat<'_>) {
    ns.eventually(PODS, "it has an address", async || {
        match lobby.get().await.status.and_then(|status| status.address) {
            Some(_) => Ok(()),
            None => Err("none".into()),
        }
    })
    .await;
    let people = People::of(lobby).await;
    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    for person in [&ada, &bob] {
        person.join("garden").await;
    }
    speaks_until_heard(ns, &ada, &bob).await;
    speaks_until_heard(ns, &bob, &ada).await;
}
