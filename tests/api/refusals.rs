//! Objects and pods that Kubernetes refuses: the reason is reported, and the cluster heals by itself once the
//! obstacle is gone.

use k8s_openapi::api::core::v1::ResourceQuota;
use kube::api::{Api, DeleteParams};
use serde_json::{Value, json};

use crate::operator;
use crate::support::{Kind, Namespace, SOON};

fn no_redis_volume() -> Value {
    json!({"redis": {"persistence": "None"}})
}

async fn quota(ns: &Namespace, hard: Value) {
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "tight"}, "spec": {"hard": hard}});
    ns.apply(quota).await;
    let quotas: Api<ResourceQuota> = Api::namespaced(ns.client.clone(), &ns.name);
    ns.eventually(SOON, "the quota is enforced", async || {
        let quota = quotas.get("tight").await.map_err(|error| error.to_string())?;
        quota.status.and_then(|status| status.hard).map(|_| ()).ok_or_else(|| "it has no status yet".into())
    })
    .await;
}

async fn lift_quota(ns: &Namespace) {
    let quotas: Api<ResourceQuota> = Api::namespaced(ns.client.clone(), &ns.name);
    quotas.delete("tight", &DeleteParams::default()).await.expect("deleting the quota");
}

#[tokio::test]
async fn a_quota_that_keeps_an_object_out_is_quoted_and_the_object_is_created_once_it_is_lifted() {
    let ns = operator::namespace("quota").await;
    quota(&ns, json!({"services": "1"})).await;

    let lobby = ns.chat("lobby", no_redis_volume()).await;

    let condition = lobby.becomes("Ready", "False", "ApplyFailed", SOON).await;
    assert!(
        condition.message.contains("Service") && condition.message.contains("quota"),
        "{}",
        condition.message
    );
    lobby.tells("ApplyFailed", &["quota"]).await;
    lift_quota(&ns).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    assert!(lobby.child(Kind::Service, "-redis").find().await.is_some());
}

#[tokio::test]
async fn a_quota_that_keeps_pods_out_is_quoted() {
    let ns = operator::namespace("pods").await;
    quota(&ns, json!({"pods": "2"})).await;

    let lobby = ns.chat("lobby", json!({"hub": {"replicas": 3}, "redis": {"persistence": "None"}})).await;

    let condition = lobby.becomes("HubReady", "False", "PodsRefused", SOON).await;
    assert!(condition.message.contains("quota"), "{}", condition.message);
    lobby.tells("PodsRefused", &["lobby-hub", "quota"]).await;
}

#[tokio::test]
async fn hubs_that_fit_on_no_node_are_reported_and_heal_with_smaller_requests() {
    let ns = operator::namespace("large").await;
    let mut spec = no_redis_volume();
    spec["hub"] = json!({"resources": {"requests": {"cpu": "10000"}}});

    let lobby = ns.chat("lobby", spec).await;

    let condition = lobby.becomes("HubReady", "False", "Unschedulable", SOON).await;
    assert!(
        condition.message.contains("lobby-hub") && condition.message.contains("cpu"),
        "{}",
        condition.message
    );
    lobby.tells("Unschedulable", &["lobby-hub"]).await;
    lobby.set(json!({"hub": {"resources": {"requests": {"cpu": "1"}}}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
}
