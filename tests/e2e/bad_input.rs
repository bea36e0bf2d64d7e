//! Mistakes of users and shortcomings of clusters: each shows in a condition and an event that name the
//! object and the remedy, and heals by itself once it is corrected.

use k8s_openapi::api::storage::v1::StorageClass;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::api::{Api, DeleteParams, ListParams, PostParams};
use serde_json::json;

use crate::pods::Probe;
use crate::support::{Chat, Kind, Namespace, PODS};

/// Waits until the cluster is not ready for this reason, and the condition of this type and a warning have
/// these words.
async fn complains(chat: &Chat<'_>, type_: &str, reason: &str, words: &[&str]) -> Condition {
    let condition = chat.becomes(type_, "False", reason, PODS).await;
    for word in words {
        assert!(condition.message.contains(word), "“{word}” is missing in: {}", condition.message);
    }
    chat.becomes("Ready", "False", reason, PODS).await;
    let event = chat.tells(reason, words).await;
    assert_eq!(event.type_.as_deref(), Some("Warning"), "{event:?}");
    println!("{reason}: {}", condition.message);
    condition
}

#[tokio::test]
async fn a_missing_secret_and_then_a_missing_key_are_reported() {
    let ns = Namespace::new("no-secret").await;
    let auth = json!({"existingSecret": {"name": "mine", "key": "pass"}});
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None", "auth": auth}})).await;

    complains(&lobby, "PasswordCurrent", "SecretMissing", &["mine", "create it with the key pass"]).await;
    ns.apply_secret("mine", json!({"another": "x"})).await;
    complains(&lobby, "PasswordCurrent", "SecretKeyMissing", &["mine", "add the key"]).await;
    ns.apply_secret("mine", json!({"pass": "correct-horse-battery-staple"})).await;

    lobby.becomes_ready().await;
    assert_eq!(lobby.password().await, "correct-horse-battery-staple");
}

#[tokio::test]
async fn a_hub_image_that_cannot_be_pulled_is_reported() {
    let ns = Namespace::new("no-hub-image").await;
    let spec = json!({"hub": {"image": "localhost/no-such-hub:1"}, "redis": {"persistence": "None"}});
    let lobby = ns.chat("lobby", spec).await;

    complains(&lobby, "HubReady", "ImagePullFailed", &["localhost/no-such-hub:1", "correct spec.hub.image"])
        .await;
    lobby.set(json!({"hub": {"image": null}})).await;

    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_redis_image_that_cannot_be_pulled_is_reported() {
    let ns = Namespace::new("no-redis-image").await;
    let lobby = ns.chat("lobby", json!({"redis": {"image": "localhost/no-such-redis:1"}})).await;

    let words = ["localhost/no-such-redis:1", "correct spec.redis.image"];
    complains(&lobby, "BackplaneReady", "ImagePullFailed", &words).await;
    lobby.set(json!({"redis": {"image": null}})).await;

    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_bad_image_in_an_update_leaves_the_old_hubs_serving() {
    let ns = Namespace::new("bad-rollout").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;

    lobby.set(json!({"hub": {"image": "localhost/no-such-hub:1"}})).await;

    complains(&lobby, "HubReady", "ImagePullFailed", &["localhost/no-such-hub:1"]).await;
    let ready = lobby.child(Kind::Deployment, "-hub").get().await["status"]["readyReplicas"].clone();
    assert_eq!(ready, 2, "the old hubs keep serving");
    assert!(lobby.child(Kind::Service, "").find().await.is_some(), "the public Service is not taken away");
    lobby.set(json!({"hub": {"image": null}})).await;
    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_missing_storage_class_is_reported() {
    let ns = Namespace::new("no-class").await;
    let class = format!("fast-{}", ns.name);
    let lobby = ns.chat("lobby", json!({"redis": {"storage": {"storageClassName": class}}})).await;

    complains(&lobby, "BackplaneReady", "StorageClassMissing", &[&class, "create the class"]).await;
    let classes: Api<StorageClass> = Api::all(ns.client.clone());
    let any = classes.list(&ListParams::default()).await.expect("storage classes").items;
    let mut like = any.into_iter().next().expect("the cluster has a storage class");
    like.metadata =
        serde_json::from_value(json!({"name": class, "annotations": like.metadata.annotations.map(|mut a| {
            a.retain(|name, _| !name.contains("kubernetes.io/"));
            a
        })}))
        .expect("metadata");
    classes.create(&PostParams::default(), &like).await.expect("creating the StorageClass");

    lobby.becomes_ready().await;
    classes.delete(&class, &DeleteParams::default()).await.expect("deleting the StorageClass");
}

#[tokio::test]
async fn a_redis_that_rejects_the_password_is_reported() {
    let ns = Namespace::new("rejected").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let probe = Probe::like_a_hub(&lobby).await;
    probe.reaches_redis().await;

    // Someone changes the password in the running Redis, and closes all connections.
    assert_eq!(probe.redis("acl setuser default resetpass '>other'").await.as_deref(), Ok("OK"));
    for kind in ["pubsub", "normal"] {
        let killed = probe.redis_pod_as("REDISCLI_AUTH=other", &format!("client kill type {kind}")).await;
        killed.unwrap_or_else(|error| panic!("{error}"));
    }

    complains(
        &lobby,
        "BackplaneReady",
        "PasswordRejected",
        &["lobby-redis-auth", "restart it with: kubectl delete pod lobby-redis-0"],
    )
    .await;
    assert_eq!(probe.redis_pod_as("REDISCLI_AUTH=other", "acl load").await.as_deref(), Ok("OK"));
    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_foreign_object_with_a_childs_name_is_reported() {
    let ns = Namespace::new("taken").await;
    ns.apply(json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": "lobby"},
        "spec": {"ports": [{"port": 1234}], "selector": {"app": "theirs"}},
    }))
    .await;
    let theirs = ns.child(Kind::Service, "lobby");
    let before = theirs.get().await;

    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;

    lobby.becomes("Ready", "False", "NameTaken", PODS).await;
    lobby.tells("NameTaken", &["Service lobby", "delete or rename it"]).await;
    assert_eq!(theirs.get().await, before, "the operator took it over");
    theirs.delete().await;
    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_directive_that_redis_does_not_accept_is_reported() {
    let ns = Namespace::new("bad-directive").await;
    let lobby = ns.chat("lobby", json!({"redis": {"config": {"maxmemory": "plenty"}}})).await;

    complains(&lobby, "BackplaneReady", "RedisCrashing", &["maxmemory", "kubectl logs lobby-redis-0"]).await;
    lobby.set(json!({"redis": {"config": {"maxmemory": "64mb"}}})).await;

    lobby.becomes_ready().await;
}

#[tokio::test]
async fn a_variable_that_the_hub_does_not_accept_is_reported() {
    let ns = Namespace::new("bad-variable").await;
    let env = json!([{"name": "HUB_SHUTDOWN_GRACE", "value": "soon"}]);
    let lobby = ns.chat("lobby", json!({"hub": {"env": env}, "redis": {"persistence": "None"}})).await;

    complains(&lobby, "HubReady", "HubCrashing", &["soon", "kubectl logs lobby-hub"]).await;
    lobby.set(json!({"hub": {"env": null}})).await;

    lobby.becomes_ready().await;
}
