//! The password: generated once, or the user's own, with the reports of a missing or invalid one.

use serde_json::json;

use crate::operator;
use crate::support::{Kind, SOON};

#[tokio::test]
async fn a_missing_secret_a_missing_key_and_an_invalid_password_are_each_reported_and_heal() {
    let ns = operator::namespace("own").await;
    let spec = json!({"redis": {"persistence": "None", "auth": {"existingSecret": {"name": "mine", "key": "pass"}}}});
    let lobby = ns.chat("lobby", spec).await;

    let condition = lobby.becomes("PasswordCurrent", "False", "SecretMissing", SOON).await;
    assert!(condition.message.contains("mine"), "names the Secret: {}", condition.message);
    lobby.becomes("Ready", "False", "SecretMissing", SOON).await;
    let event = lobby.tells("SecretMissing", &["mine"]).await;
    assert_eq!(event.type_.as_deref(), Some("Warning"));

    ns.apply_secret("mine", json!({"other": "x"})).await;
    let condition = lobby.becomes("PasswordCurrent", "False", "SecretKeyMissing", SOON).await;
    assert!(
        condition.message.contains("mine") && condition.message.contains("pass"),
        "{}",
        condition.message
    );
    lobby.tells("SecretKeyMissing", &["mine", "pass"]).await;

    ns.apply_secret("mine", json!({"pass": ""})).await;
    let condition = lobby.becomes("PasswordCurrent", "False", "PasswordInvalid", SOON).await;
    assert!(
        condition.message.contains("mine") && condition.message.contains("pass"),
        "{}",
        condition.message
    );

    ns.apply_secret("mine", json!({"pass": "correct-horse-battery-staple"})).await;
    lobby.becomes("PasswordCurrent", "True", "Current", SOON).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let status = serde_json::to_string(&lobby.get().await.status).expect("JSON");
    assert!(!status.contains("correct-horse"), "the password is in the status: {status}");
}

#[tokio::test]
async fn a_secret_that_is_deleted_later_is_reported_but_takes_nothing_down() {
    let ns = operator::namespace("lost").await;
    ns.apply_secret("mine", json!({"redis.password": "correct-horse-battery-staple"})).await;
    let spec = json!({"redis": {"persistence": "None", "auth": {"existingSecret": {"name": "mine"}}}});
    let lobby = ns.chat("lobby", spec).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let redis = lobby.child(Kind::StatefulSet, "-redis").uid().await;

    ns.child(Kind::Secret, "mine").delete().await;

    lobby.becomes("PasswordCurrent", "False", "SecretMissing", SOON).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    assert_eq!(lobby.child(Kind::StatefulSet, "-redis").uid().await, redis);
    assert_eq!(
        ns.child(Kind::Secret, "mine").find().await,
        None,
        "the operator creates no Secret in the user's place"
    );
}

#[tokio::test]
async fn the_users_own_secret_is_not_touched() {
    let ns = operator::namespace("untouched").await;
    ns.apply_secret("mine", json!({"redis.password": "correct-horse-battery-staple"})).await;
    let mine = ns.child(Kind::Secret, "mine");
    let before = mine.get().await;
    let spec = json!({"redis": {"persistence": "None", "auth": {"existingSecret": {"name": "mine"}}}});

    let lobby = ns.chat("lobby", spec).await;

    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    assert_eq!(mine.get().await, before);
    lobby.delete().await;
    ns.wait_until_gone(&lobby.child(Kind::Service, "-redis"), SOON).await;
    assert_eq!(mine.get().await, before);
}

#[tokio::test]
async fn a_password_is_generated_once() {
    let ns = operator::namespace("once").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let password = lobby.password().await;

    lobby.set(json!({"hub": {"replicas": 3}, "redis": {"config": {"maxmemory": "10mb"}}})).await;
    lobby.child(Kind::Secret, "-redis-auth").edit(json!([{"op": "remove", "path": "/data/uri"}])).await;

    ns.eventually(SOON, "the uri is back", async || {
        let secret = lobby.child(Kind::Secret, "-redis-auth").seen().await?;
        if secret["data"]["uri"].is_string() { Ok(()) } else { Err("no key uri".into()) }
    })
    .await;
    assert_eq!(lobby.password().await, password);
}

#[tokio::test]
async fn two_clusters_have_two_passwords() {
    let ns = operator::namespace("two").await;
    let (lobby, games) = (ns.chat("lobby", json!({})).await, ns.chat("games", json!({})).await);
    for chat in [&lobby, &games] {
        ns.wait_for(&chat.child(Kind::Secret, "-redis-auth"), SOON).await;
    }

    assert_ne!(lobby.password().await, games.password().await);
}
