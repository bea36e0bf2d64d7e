//! Hubs that are not ours: the Socket.IO chat of `samples/socketio`, whose operator knows nothing about it.

use std::collections::BTreeSet;

use k8s_openapi::api::core::v1::Pod;
use serde_json::{Value, json};

use crate::people::{People, everyone_hears_everyone, pods_of, speak_until_heard, speaks_until_heard};
use crate::pods::{kill, name_of, pods};
use crate::support::{Chat, Kind, Namespace, PODS, env, kubectl, repo};

#[tokio::test]
async fn a_socket_io_chat_is_verified_published_scaled_and_survives_its_redis() {
    let ns = Namespace::new("socketio").await;
    let hub = json!({"image": env("CHATCLUSTER_SOCKETIO_IMAGE")});
    let games = ns.chat("games", json!({"hub": hub, "redis": {"persistence": "None"}})).await;
    games.becomes_ready().await;
    games.becomes("Verified", "True", "Verified", PODS).await;
    let people = People::of_socketio(&games).await;

    let [ada, bob] = people.two_in_the_garden().await;
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
    ns.wait_for_another(&redis, &before, PODS).await;
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
    let [ada, bob] = people.two_in_the_garden().await;
    let (password, before) = (games.password().await, hubs(&games).await);
    let secret = games.child(Kind::Secret, "-redis-auth");
    let uid = secret.uid().await;

    secret.delete().await;

    ns.wait_for_another(&secret, &uid, PODS).await;
    speak_until_heard(&ns, &ada, &bob).await;
    games.becomes_ready().await;
    assert_ne!(games.password().await, password);
    assert_eq!(hubs(&games).await, before, "the hubs are the same");
    assert!(!ada.was_interrupted() && !bob.was_interrupted(), "no client lost its connection");
}

/// A script that connects to Redis with the connection string, which it reads as StackExchange.Redis does.
const CONNECT: &str = r"
const [endpoint, ...options] = process.env.ConnectionStrings__Redis.split(',')
const password = options.find((option) => option.startsWith('password=')).slice('password='.length)
const [host, port] = endpoint.split(':')
const { createClient } = await import('redis')
const redis = createClient({ socket: { host, port: Number(port), reconnectStrategy: false }, password })
console.log(await (await redis.connect()).ping())
redis.destroy()
";

#[tokio::test]
async fn the_aspnet_manifest_gives_its_hubs_a_working_connection_string_also_after_a_new_password() {
    let ns = Namespace::new("aspnet").await;
    let file = repo().join("manifests/samples/aspnet.yaml").display().to_string();
    let sample = kubectl(&["create", "--dry-run=client", "--output=json", "--filename", &file]).await;
    let sample: Value = serde_json::from_str(&sample.expect("the sample")).expect("JSON");
    let mut spec = sample["spec"].clone();
    // There is no .NET here, and a script for Node can read the connection string as well.
    spec["hub"]["image"] = env("CHATCLUSTER_SOCKETIO_IMAGE").into();
    spec["redis"] = json!({"persistence": "None"});
    let chat = ns.chat("aspnet", spec).await;
    chat.becomes_ready().await;
    let before = hubs(&chat).await;
    for hub in &before {
        assert_eq!(connects(&chat, hub).await, "PONG");
    }

    chat.child(Kind::Secret, "-redis-auth").delete().await;

    ns.eventually(PODS, "the hubs are rolled", async || {
        let now = hubs(&chat).await;
        if now.len() == 2 && now.is_disjoint(&before) { Ok(()) } else { Err(format!("{before:?}, {now:?}")) }
    })
    .await;
    chat.becomes_ready().await;
    for hub in hubs(&chat).await {
        assert_eq!(connects(&chat, &hub).await, "PONG");
    }
}

/// The answer of Redis to a hub that connects with its `ConnectionStrings__Redis`.
async fn connects(chat: &Chat<'_>, hub: &str) -> String {
    let args =
        ["exec", "--namespace", &chat.ns.name, hub, "--", "node", "--input-type=module", "--eval", CONNECT];
    kubectl(&args).await.unwrap_or_else(|error| panic!("{error}")).trim().to_owned()
}

/// Scales a cluster, and waits until it has this number of hubs.
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

/// The names of the hub pods that are not being deleted.
async fn hubs(chat: &Chat<'_>) -> BTreeSet<String> {
    let hubs: Vec<Pod> = pods(chat, "hub").await;
    hubs.iter().map(|pod| name_of(pod).to_owned()).collect()
}
