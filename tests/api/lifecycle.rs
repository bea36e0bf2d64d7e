//! From creation to deletion, alone and beside others.

use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, DeleteParams, PostParams};
use serde_json::json;

use crate::operator;
use crate::support::{Kind, SOON, kubectl};

#[tokio::test]
async fn everything_but_the_volume_goes_with_a_deleted_chatcluster() {
    let ns = operator::namespace("gone").await;
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately"}})).await;
    lobby.has_all_children().await;
    let claim = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    ns.wait_for(&claim, SOON).await;

    lobby.delete().await;

    lobby.has_no_children(SOON).await;
    assert!(claim.find().await.is_some(), "the volume must outlive the cluster");
}

#[tokio::test]
async fn a_volume_that_is_not_retained_goes_too() {
    let ns = operator::namespace("unretained").await;
    let lobby = ns.chat("lobby", json!({"redis": {"storage": {"retain": false}}})).await;
    let claim = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    ns.wait_for(&claim, SOON).await;

    lobby.delete().await;

    lobby.has_no_children(SOON).await;
    ns.wait_until_gone(&claim, SOON).await;
}

#[tokio::test]
async fn of_two_clusters_in_a_namespace_one_can_be_deleted_without_harm_to_the_other() {
    let ns = operator::namespace("pair").await;
    let spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
    let (lobby, games) = (ns.chat("lobby", spec.clone()).await, ns.chat("games", spec).await);
    for chat in [&lobby, &games] {
        chat.has_all_children().await;
        chat.becomes("HubReady", "True", "Ready", SOON).await;
    }
    let selector = lobby.child(Kind::Service, "").get().await["spec"]["selector"].clone();
    assert_ne!(games.child(Kind::Service, "").get().await["spec"]["selector"], selector);

    games.delete().await;

    games.has_no_children(SOON).await;
    for child in lobby.children() {
        assert!(child.find().await.is_some(), "{child} went with another cluster");
    }
}

#[tokio::test]
async fn a_missing_storage_class_is_reported_and_heals() {
    let ns = operator::namespace("class").await;
    let class = format!("fast-{}", ns.name);
    let lobby = ns.chat("lobby", json!({"redis": {"storage": {"storageClassName": class}}})).await;

    let condition = lobby.becomes("BackplaneReady", "False", "StorageClassMissing", SOON).await;
    assert!(condition.message.contains(&class), "names the class: {}", condition.message);
    lobby.becomes("Ready", "False", "StorageClassMissing", SOON).await;
    lobby.tells("StorageClassMissing", &[&class]).await;

    let classes: Api<StorageClass> = Api::all(ns.client.clone());
    let object = json!({"metadata": {"name": class}, "provisioner": "example.com/none"});
    let object = serde_json::from_value(object).expect("a StorageClass");
    classes.create(&PostParams::default(), &object).await.expect("creating the StorageClass");

    lobby.becomes("BackplaneReady", "False", "VolumePending", SOON * 3).await;
    classes.delete(&class, &DeleteParams::default()).await.expect("deleting the StorageClass");
}

#[tokio::test]
async fn without_a_redis_that_answers_the_cluster_is_not_verified_and_says_why() {
    let ns = operator::namespace("mute").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;

    let condition = lobby.becomes("BackplaneReady", "False", "Unreachable", SOON).await;
    assert!(condition.message.contains("lobby-redis"), "names Redis: {}", condition.message);
    lobby.becomes("Verified", "False", "WaitingForBackplane", SOON).await;
    lobby.becomes("Published", "False", "NotVerified", SOON).await;
    lobby.becomes("Ready", "False", "Unreachable", SOON).await;
}

#[tokio::test]
async fn a_service_without_a_load_balancer_is_reported_to_wait_for_its_address() {
    let ns = operator::namespace("address").await;
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately"}})).await;
    let inside = ns.chat("inside", json!({"service": {"publish": "Immediately", "type": "ClusterIP"}})).await;

    let condition = lobby.becomes("Published", "False", "AddressPending", SOON).await;
    assert!(condition.message.contains("lobby"), "names the Service: {}", condition.message);
    inside.becomes("Published", "True", "Published", SOON).await;
    let address =
        kubectl(&["get", "chat/inside", "--namespace", &ns.name, "--output=jsonpath={.status.address}"])
            .await;
    assert_ne!(address.as_deref(), Ok(""), "the ClusterIP is an address too");
}
