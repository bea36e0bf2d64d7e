//! A cluster is verified before it is published: the operator's questions to Redis, and its conclusions.

use serde_json::{Value, json};

use crate::operator;
use crate::redis::{Redis, give_address, hubs};
use crate::support::{Kind, SOON};

fn no_volume() -> Value {
    json!({"redis": {"persistence": "None"}})
}

#[tokio::test]
async fn the_service_is_created_once_every_hub_is_subscribed() {
    let ns = operator::namespace("verified").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    let [first, second] = hubs(&lobby).await.try_into().expect("two hubs");
    let service = lobby.child(Kind::Service, "");

    let redis = Redis::of(&lobby).await;
    lobby.becomes("BackplaneReady", "True", "Ready", SOON).await;
    lobby.becomes("Verified", "False", "HubNotSubscribed", SOON).await;

    let _one = redis.subscribe(&lobby, &first).await;
    lobby
        .says("Verified", SOON, "names the other hub", |condition| condition.message.contains(&second))
        .await;
    assert_eq!(service.find().await, None, "the Service was created when one hub was subscribed");

    let _two = redis.subscribe(&lobby, &second).await;
    lobby.becomes("Verified", "True", "Verified", SOON).await;
    lobby.tells("Verified", &[]).await;
    lobby.becomes("Published", "False", "AddressPending", SOON).await;
    assert!(service.find().await.is_some());

    give_address(&lobby, "203.0.113.7").await;
    lobby.becomes("Published", "True", "Published", SOON).await;
    lobby.becomes("Ready", "True", "Ready", SOON).await;
    lobby.tells("Published", &["203.0.113.7"]).await;
    assert_eq!(lobby.get().await.status.and_then(|status| status.address).as_deref(), Some("203.0.113.7"));
}

#[tokio::test]
async fn a_published_cluster_stays_public_while_new_hubs_are_not_subscribed_yet() {
    let ns = operator::namespace("hiccup").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    hubs(&lobby).await;
    let redis = Redis::of(&lobby).await;
    let _subscribers = redis.subscribe_all(&lobby).await;
    lobby.becomes("Verified", "True", "Verified", SOON).await;
    let service = lobby.child(Kind::Service, "");
    let before = ns.wait_for(&service, SOON).await;

    lobby.set(json!({"hub": {"replicas": 3}})).await;

    lobby.becomes("Verified", "False", "HubNotSubscribed", SOON).await;
    assert_eq!(service.uid().await, before["metadata"]["uid"].as_str().unwrap_or_default());
}

#[tokio::test]
async fn with_readiness_a_ready_hub_counts_as_verified() {
    let ns = operator::namespace("readiness").await;
    let mut spec = no_volume();
    spec["hub"] = json!({"verify": "Readiness"});
    let lobby = ns.chat("lobby", spec).await;
    hubs(&lobby).await;

    let _redis = Redis::of(&lobby).await;

    lobby.becomes("Verified", "True", "Verified", SOON).await;
}

#[tokio::test]
async fn a_redis_with_another_password_is_distinguished_from_an_unreachable_one() {
    let ns = operator::namespace("rejects").await;
    let lobby = ns.chat("lobby", no_volume()).await;
    hubs(&lobby).await;

    let redis = Redis::with_users(&lobby, "user default on >another ~* &* +@all\n").await;

    let condition = lobby.becomes("BackplaneReady", "False", "PasswordRejected", SOON).await;
    assert!(condition.message.contains("lobby-redis-auth"), "names the Secret: {}", condition.message);
    lobby.tells("PasswordRejected", &["lobby-redis"]).await;
    drop(redis);
    lobby.becomes("BackplaneReady", "False", "Unreachable", SOON).await;
    let _redis = Redis::of(&lobby).await;
    lobby.becomes("BackplaneReady", "True", "Ready", SOON).await;
}
