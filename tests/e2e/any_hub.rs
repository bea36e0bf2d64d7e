//! Hubs that are not ours: the Socket.IO chat of `samples/socketio`, under an operator that knows nothing of it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use serde_json::json;

use crate::people::{People, everyone_hears_everyone, pods_of, speaks_until_heard};
use crate::pods::{kill, name_of, pods};
use crate::support::{Chat, Kind, Namespace, PODS, env, kubectl};

#[tokio::test]
async fn a_socket_io_chat_is_verified_published_scaled_and_outlives_its_redis() {
    let ns = Namespace::new("socketio").await;
    let hub = json!({"image": env("CHATCLUSTER_SOCKETIO_IMAGE")});
    let games = ns.chat("games", json!({"hub": hub, "redis": {"persistence": "None"}})).await;
    games.becomes_ready().await;
    games.becomes("Verified", "True", "Verified", PODS).await;
    let people = People::of_socketio(&games).await;

    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    for person in [&ada, &bob] {
        person.join("garden").await;
    }
    everyone_hears_everyone("garden", &[&ada, &bob]).await;

    scale(&games, 3).await;
    let eve = people.arrive_apart("eve", &[&ada, &bob]).await;
    eve.join("garden").await;
    let all = [&ada, &bob, &eve];
    assert_eq!(pods_of(&all).len(), 3, "three hubs serve them");
    everyone_hears_everyone("garden", &all).await;

    let redis = games.child(Kind::Pod, "-redis-0");
    let before = redis.uid().await;
    kill(&games, "games-redis-0").await;
    ns.eventually(PODS, "there is a new Redis", async || redis.replaced(&before).await).await;
    for (from, to) in [(&ada, &bob), (&bob, &eve), (&eve, &ada)] {
        speaks_until_heard(&ns, from, to).await;
    }
    games.becomes_ready().await;
    assert!(!all.iter().any(|person| person.was_interrupted()), "only Redis was killed");

    scale(&games, 1).await;
    let left = hubs(&games).await;
    for person in all {
        if !left.contains(&person.pod) {
            person.reconnects().await;
        }
    }
    everyone_hears_everyone("garden", &all).await;
}

#[tokio::test]
async fn a_socket_io_chat_takes_a_new_password_without_a_restart() {
    let ns = Namespace::new("new-password").await;
    let hub = json!({"image": env("CHATCLUSTER_SOCKETIO_IMAGE")});
    let games = ns.chat("games", json!({"hub": hub, "redis": {"persistence": "None"}})).await;
    games.becomes_ready().await;
    let people = People::of_socketio(&games).await;
    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    for person in [&ada, &bob] {
        person.join("garden").await;
    }
    let (password, before) = (games.password().await, hubs(&games).await);
    let secret = games.child(Kind::Secret, "-redis-auth");
    let uid = secret.uid().await;

    secret.delete().await;

    ns.eventually(PODS, "there is a new Secret", async || secret.replaced(&uid).await).await;
    speaks_until_heard(&ns, &ada, &bob).await;
    speaks_until_heard(&ns, &bob, &ada).await;
    games.becomes_ready().await;
    assert_ne!(games.password().await, password);
    assert_eq!(hubs(&games).await, before, "the hubs are the same");
    assert!(!ada.was_interrupted() && !bob.was_interrupted(), "no client lost its connection");
}

/// Scales it, and waits until it has so many hubs.
async fn scale(chat: &Chat<'_>, replicas: usize) {
    let wanted = format!("--replicas={replicas}");
    let object = format!("chatcluster/{}", chat.name);
    kubectl(&["scale", &object, &wanted, "--namespace", &chat.ns.name]).await.expect("kubectl scale");
    chat.becomes_ready().await;
    let what = format!("{replicas} hubs");
    chat.ns
        .eventually(PODS, &what, async || match hubs(chat).await {
            hubs if hubs.len() == replicas => Ok(()),
            hubs => Err(format!("{hubs:?}")),
        })
        .await;
}

/// The names of the hub pods that are not on their way out.
async fn hubs(chat: &Chat<'_>) -> BTreeSet<String> {
    let hubs: Vec<Pod> = pods(chat, "hub").await;
    hubs.iter().map(|pod| name_of(pod).to_owned()).collect()
}
