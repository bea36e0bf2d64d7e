//! The number of hubs, decided by the spec, by the operator's autoscaler, or by the user's own.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::autoscaling::v1::Scale;
use kube::api::{Api, Patch, PatchParams};
use serde_json::json;

use crate::operator;
use crate::support::{A_WHILE, Chat, Kind, Namespace, SOON};

/// Sets the number of hubs as an autoscaler does: on the scale subresource, as `kube-controller-manager`.
async fn autoscale(lobby: &Chat<'_>, replicas: i32) {
    let api: Api<Deployment> = Api::namespaced(lobby.ns.client.clone(), &lobby.ns.name);
    let name = format!("{}-hub", lobby.name);
    let mut scale: Scale = api.get_scale(&name).await.expect("the scale of the hubs");
    scale.spec.get_or_insert_default().replicas = Some(replicas);
    // The hubs' status may have changed meanwhile; a real autoscaler would retry after that conflict.
    scale.metadata.resource_version = None;
    let by = kube::api::PostParams {
        field_manager: Some("kube-controller-manager".into()),
        ..kube::api::PostParams::default()
    };
    api.replace_scale(&name, &by, &scale).await.expect("scaling the hubs");
}

async fn has_replicas(ns: &Namespace, lobby: &Chat<'_>, wanted: i64) {
    let hub = lobby.child(Kind::Deployment, "-hub");
    ns.eventually(SOON, &format!("{wanted} hubs"), async || {
        let now = hub.seen().await?["spec"]["replicas"].as_i64();
        if now == Some(wanted) { Ok(()) } else { Err(format!("{now:?}")) }
    })
    .await;
}

/// True if the operator's own server-side apply owns the number of replicas.
async fn operator_owns_replicas(lobby: &Chat<'_>) -> bool {
    let hub = lobby.child(Kind::Deployment, "-hub").get().await;
    let fields = hub["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    fields.iter().any(|entry| {
        entry["manager"] == "chatcluster-operator" && !entry["fieldsV1"]["f:spec"]["f:replicas"].is_null()
    })
}

#[tokio::test]
async fn an_autoscaler_takes_over_the_number_of_hubs_keeps_it_and_gives_it_back() {
    let ns = operator::namespace("autoscaling").await;
    let lobby = ns.chat("lobby", json!({"hub": {"replicas": 3}})).await;
    has_replicas(&ns, &lobby, 3).await;
    assert!(operator_owns_replicas(&lobby).await);
    let scaler = lobby.child(Kind::HorizontalPodAutoscaler, "-hub");

    lobby.set(json!({"hub": {"autoscaling": {"minReplicas": 2, "maxReplicas": 8}}})).await;
    ns.wait_for(&scaler, SOON).await;
    ns.eventually(SOON, "the number is no longer the operator's", async || {
        if operator_owns_replicas(&lobby).await { Err("it still is") } else { Ok(()) }.map_err(str::to_owned)
    })
    .await;
    has_replicas(&ns, &lobby, 3).await;

    autoscale(&lobby, 6).await;
    lobby.says("HubReady", SOON, "6 hubs", |c| c.status == "True" && c.message.contains("6 of 6")).await;
    // A change of the template is applied without the number.
    lobby.set(json!({"hub": {"env": [{"name": "NEW", "value": "1"}]}})).await;
    let hub = lobby.child(Kind::Deployment, "-hub");
    ns.eventually(SOON, "the template changes", async || {
        let template = hub.seen().await?["spec"]["template"].to_string();
        if template.contains("NEW") { Ok(()) } else { Err(template) }
    })
    .await;
    has_replicas(&ns, &lobby, 6).await;

    lobby.set(json!({"hub": {"autoscaling": null}})).await;
    has_replicas(&ns, &lobby, 3).await;
    ns.wait_until_gone(&scaler, SOON).await;
    assert!(operator_owns_replicas(&lobby).await);
}

#[tokio::test]
async fn a_cluster_that_is_created_with_an_autoscaler_starts_with_its_minimum_of_hubs() {
    let ns = operator::namespace("autoscaled").await;

    let lobby = ns.chat("lobby", json!({"hub": {"autoscaling": {"minReplicas": 4}}})).await;

    lobby.says("HubReady", SOON, "4 hubs", |c| c.status == "True" && c.message.contains("4 of 4")).await;
    assert!(!operator_owns_replicas(&lobby).await);
}

#[tokio::test]
async fn a_users_own_autoscaler_acts_on_the_scale_subresource_of_the_chatcluster() {
    let ns = operator::namespace("own-autoscaler").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let scale = lobby.api().get_scale("lobby").await.expect("the scale subresource");
    let selector = scale.status.and_then(|status| status.selector).expect("a selector in the status");
    assert!(selector.contains("app.kubernetes.io/component=hub"), "{selector}");

    let number = json!({"spec": {"replicas": 5}});
    let api: Api<chatcluster_api::ChatCluster> = lobby.api();
    api.patch_scale("lobby", &PatchParams::default(), &Patch::Merge(number)).await.expect("scaling");

    has_replicas(&ns, &lobby, 5).await;
}

#[tokio::test]
async fn nodes_are_drained_one_hub_at_a_time() {
    let ns = operator::namespace("budget").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let budget = lobby.child(Kind::PodDisruptionBudget, "-hub");

    ns.eventually(SOON, "the budget allows one disruption", async || {
        let status = budget.seen().await?["status"].clone();
        if status["disruptionsAllowed"] == 1 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_restart_is_requested_by_an_annotation_and_happens_once() {
    let ns = operator::namespace("restarts").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    let (hub, redis) = (lobby.child(Kind::Deployment, "-hub"), lobby.child(Kind::StatefulSet, "-redis"));
    let generation =
        async |child: &crate::support::Child| child.get().await["metadata"]["generation"].clone();
    let (hub_before, redis_before) = (generation(&hub).await, generation(&redis).await);

    let annotation = json!({"metadata": {"annotations": {"chatcluster.dev/restart-hub": "now"}}});
    lobby.api().patch("lobby", &PatchParams::default(), &Patch::Merge(annotation)).await.expect("annotating");

    ns.eventually(SOON, "the hubs' template has the annotation of the restart", async || {
        let template = hub.seen().await?["spec"]["template"]["metadata"]["annotations"].clone();
        if template["chatcluster.dev/restarted-at"] == "now" { Ok(()) } else { Err(template.to_string()) }
    })
    .await;
    lobby.touch().await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(generation(&hub).await.as_i64(), hub_before.as_i64().map(|before| before + 1));
    assert_eq!(generation(&redis).await, redis_before, "Redis is not asked to restart");
}
