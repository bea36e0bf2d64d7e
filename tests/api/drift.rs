//! Deleted children come back at once, and additions of others stay when the spec changes. The drift matrix
//! (`matrix`, `not_ours`) tests changes of every single field.

use std::time::{Duration, Instant};

use serde_json::json;

use crate::operator;
use crate::support::{A_WHILE, Chat, Kind, Namespace, SOON};

/// The bound for a repair: a watch event triggers it, so it takes about a second; the rest is for a busy
/// machine.
const AT_ONCE: Duration = Duration::from_mins(1);

async fn lobby(ns: &Namespace) -> Chat<'_> {
    let spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
    let lobby = ns.chat("lobby", spec).await;
    lobby.has_all_children().await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    lobby
}

#[tokio::test]
async fn every_deleted_child_comes_back() {
    let ns = operator::namespace("deleted").await;
    let spec = json!({"hub": {"autoscaling": {}}, "service": {"publish": "Immediately"}});
    let lobby = ns.chat("lobby", spec).await;
    lobby.has_all_children().await;
    let scaler = lobby.child(Kind::HorizontalPodAutoscaler, "-hub");
    ns.wait_for(&scaler, SOON).await;

    for child in lobby.children().into_iter().chain([scaler]) {
        let before = child.uid().await;
        let start = Instant::now();

        child.delete().await;

        ns.wait_for_another(&child, &before, AT_ONCE).await;
        println!("{child} came back in {:?}", start.elapsed());
        lobby.tells_of_repair(&child, &[]).await;
    }
}

#[tokio::test]
async fn additions_of_others_to_our_objects_stay() {
    let ns = operator::namespace("theirs").await;
    let lobby = lobby(&ns).await;
    let service = lobby.child(Kind::Service, "");
    let hub = lobby.child(Kind::Deployment, "-hub");
    let node_port = service.get().await["spec"]["ports"][0]["nodePort"].clone();
    assert!(node_port.is_number(), "the API server gave the Service a node port");

    let note = json!({"metadata": {"annotations": {"example.com/note": "mine"}, "labels": {"example.com/team": "a"}}});
    for child in lobby.children() {
        child.merge(note.clone()).await;
    }
    let restart = json!({"kubectl.kubernetes.io/restartedAt": "now"});
    hub.merge(json!({"spec": {"template": {"metadata": {"annotations": restart}}}})).await;
    lobby.set(json!({"hub": {"env": [{"name": "NEW", "value": "1"}]}, "service": {"port": 8000}})).await;

    ns.eventually(AT_ONCE, "the new spec reaches the children", async || {
        let (hub, service) = (hub.get().await, service.get().await);
        let env = hub["spec"]["template"]["spec"]["containers"][0]["env"].to_string();
        let port = &service["spec"]["ports"][0]["port"];
        if env.contains("\"NEW\"") && *port == 8000 { Ok(()) } else { Err(format!("{env}, {port}")) }
    })
    .await;
    for child in lobby.children() {
        let metadata = child.get().await["metadata"].clone();
        assert_eq!(metadata["annotations"]["example.com/note"], "mine", "{child}");
        assert_eq!(metadata["labels"]["example.com/team"], "a", "{child}");
    }
    let template = &hub.get().await["spec"]["template"];
    assert_eq!(
        template["metadata"]["annotations"]["kubectl.kubernetes.io/restartedAt"], "now",
        "the annotation of kubectl rollout restart stays"
    );
    assert_eq!(
        service.get().await["spec"]["ports"][0]["nodePort"],
        node_port,
        "the node port that the API server chose stays"
    );
}

#[tokio::test]
async fn fields_that_leave_the_spec_are_removed_from_the_children() {
    let ns = operator::namespace("taken").await;
    let lobby = lobby(&ns).await;
    let hub = lobby.child(Kind::Deployment, "-hub");
    let service = lobby.child(Kind::Service, "");
    let has = async |expected: bool| {
        ns.eventually(
            AT_ONCE,
            &format!("the children have the additions of the spec: {expected}"),
            async || {
                let container = hub.get().await["spec"]["template"]["spec"]["containers"][0].clone();
                let annotations = service.get().await["metadata"]["annotations"].clone();
                let seen = [
                    container["env"].to_string().contains("\"NEW\""),
                    container["resources"]["limits"]["memory"] == "128Mi",
                    annotations["example.com/cloud"] == "fast",
                ];
                if seen == [expected; 3] {
                    Ok(())
                } else {
                    Err(format!("{seen:?}: {container:#} {annotations:#}"))
                }
            },
        )
        .await;
    };

    lobby
        .set(json!({
            "hub": {"env": [{"name": "NEW", "value": "1"}], "resources": {"limits": {"memory": "128Mi"}}},
            "service": {"annotations": {"example.com/cloud": "fast"}},
        }))
        .await;
    has(true).await;
    lobby.set(json!({"hub": {"env": null, "resources": null}, "service": {"annotations": null}})).await;

    has(false).await;
}

#[tokio::test]
async fn a_paused_cluster_is_left_alone_until_it_resumes() {
    let ns = operator::namespace("paused").await;
    let lobby = lobby(&ns).await;
    lobby.pause().await;
    let config = lobby.child(Kind::ConfigMap, "-redis-config");
    let hub = lobby.child(Kind::Deployment, "-hub");

    config.delete().await;
    hub.merge(json!({"spec": {"replicas": 1}})).await;
    lobby.set(json!({"hub": {"port": 9000}})).await;

    lobby.says("Ready", SOON, "is still paused", |condition| condition.reason == "Paused").await;
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(config.find().await, None, "the ConfigMap was repaired during the pause");
    let seen = hub.get().await;
    assert_eq!(seen["spec"]["replicas"], 1, "the Deployment was repaired during the pause");
    assert_eq!(seen["spec"]["template"]["spec"]["containers"][0]["ports"][0]["containerPort"], 8080);

    lobby.set(json!({"paused": false})).await;

    ns.eventually(AT_ONCE, "the operator has caught up", async || {
        config.seen().await?;
        let spec = &hub.get().await["spec"];
        let port = &spec["template"]["spec"]["containers"][0]["ports"][0]["containerPort"];
        if spec["replicas"] == 2 && *port == 9000 {
            Ok(())
        } else {
            Err(format!("{} replicas, {port}", spec["replicas"]))
        }
    })
    .await;
}
