//! Pods die: clients reconnect by themselves, messages flow again, and no stored data is lost.

use serde_json::json;

use crate::people::{People, everyone_hears_everyone, speak_until_heard};
use crate::pods::{Probe, kill, name_of, pods};
use crate::support::{Kind, Namespace, PODS};

#[tokio::test]
async fn when_a_hub_is_killed_its_clients_reconnect_to_another_and_messages_flow() {
    let ns = Namespace::new("hub-killed").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let [ada, bob] = people.two_in_the_garden().await;

    kill(&lobby, &ada.pod).await;

    let now = ada.reconnects().await;
    assert_ne!(now, ada.pod, "she is back at the pod that was killed");
    everyone_hears_everyone("garden", &[&ada, &bob]).await;
    assert!(!bob.was_interrupted(), "bob's hub was not killed");
    lobby.becomes_ready().await;
    let names: Vec<String> = pods(&lobby, "hub").await.iter().map(|pod| name_of(pod).to_owned()).collect();
    assert!(names.len() == 2 && !names.contains(&ada.pod), "no new hub has taken its place: {names:?}");
    let eve = people.arrive_not_at("eve", &[&now]).await;
    eve.join("garden").await;
    everyone_hears_everyone("garden", &[&ada, &bob, &eve]).await;
}

#[tokio::test]
async fn when_redis_is_killed_messages_flow_again_and_data_and_password_stay_the_same() {
    let ns = Namespace::new("redis-killed").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes_ready().await;
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;
    assert_eq!(probe.redis("set kept yes").await.as_deref(), Ok("OK"));
    let password = lobby.password().await;
    let people = People::of(&lobby).await;
    let [ada, bob] = people.two_in_the_garden().await;
    let redis = lobby.child(Kind::Pod, "-redis-0");
    let before = redis.uid().await;

    kill(&lobby, "lobby-redis-0").await;

    ns.wait_for_another(&redis, &before, PODS).await;
    speak_until_heard(&ns, &ada, &bob).await;
    lobby.becomes_ready().await;
    assert_eq!(lobby.password().await, password);
    probe.reaches_redis().await;
    assert_eq!(probe.redis("get kept").await.as_deref(), Ok("yes"));
}
