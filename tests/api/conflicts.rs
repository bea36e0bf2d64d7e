//! A foreign object that has a child's name is never taken over.

use futures::future::join_all;
use serde_json::{Value, json};

use crate::operator;
use crate::support::{Child, Kind, Namespace, SOON, kubectl};

/// Someone else's object of this kind and name.
fn foreign(kind: Kind, name: &str) -> Value {
    let pod = json!({
        "metadata": {"labels": {"app": "other"}},
        "spec": {"containers": [{"name": "c", "image": "localhost/other:1"}]},
    });
    let selector = json!({"matchLabels": {"app": "other"}});
    let (version, rest) = match kind {
        Kind::Secret => ("v1", json!({"stringData": {"redis.password": "theirs"}})),
        Kind::ConfigMap => ("v1", json!({"data": {"redis.conf": "theirs"}})),
        Kind::Service => ("v1", json!({"spec": {"ports": [{"port": 1234}], "selector": {"app": "other"}}})),
        Kind::Deployment => {
            ("apps/v1", json!({"spec": {"replicas": 0, "selector": selector, "template": pod}}))
        }
        Kind::StatefulSet => (
            "apps/v1",
            json!({"spec": {"replicas": 0, "serviceName": "x", "selector": selector, "template": pod}}),
        ),
        Kind::NetworkPolicy => ("networking.k8s.io/v1", json!({"spec": {"podSelector": selector}})),
        Kind::PodDisruptionBudget => {
            ("policy/v1", json!({"spec": {"maxUnavailable": 1, "selector": selector}}))
        }
        Kind::HorizontalPodAutoscaler => (
            "autoscaling/v2",
            json!({"spec": {"maxReplicas": 1, "scaleTargetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "x"}}}),
        ),
        Kind::Pod | Kind::PersistentVolumeClaim => unreachable!("not a child"),
    };
    let mut object = rest;
    object["apiVersion"] = json!(version);
    object["kind"] = json!(format!("{kind:?}"));
    object["metadata"] = json!({"name": name});
    object
}

#[tokio::test]
async fn a_foreign_object_with_a_childs_name_is_reported_not_taken_over_and_its_removal_heals() {
    let ns = operator::namespace("foreign").await;
    let kinds = [
        ("secret", Kind::Secret, "-redis-auth"),
        ("token", Kind::Secret, "-hub-token"),
        ("config", Kind::ConfigMap, "-redis-config"),
        ("nodes", Kind::Service, "-redis-nodes"),
        ("hostname", Kind::Service, "-redis"),
        ("public", Kind::Service, ""),
        ("redis", Kind::StatefulSet, "-redis"),
        ("hub", Kind::Deployment, "-hub"),
        ("policy", Kind::NetworkPolicy, "-redis"),
        ("budget", Kind::PodDisruptionBudget, "-hub"),
        ("scaler", Kind::HorizontalPodAutoscaler, "-hub"),
    ];

    join_all(kinds.map(|(name, kind, suffix)| one_foreign_object(&ns, name, kind, suffix))).await;
}

async fn one_foreign_object(ns: &Namespace, name: &str, kind: Kind, suffix: &str) {
    let theirs = ns.child(kind, &format!("{name}{suffix}"));
    ns.apply(foreign(kind, &theirs.name)).await;
    let before = stable(&theirs).await;

    let spec = json!({"service": {"publish": "Immediately"}, "hub": {"autoscaling": {}}});
    let chat = ns.chat(name, spec).await;

    let condition = chat.becomes("Ready", "False", "NameTaken", SOON).await;
    let kind_name = format!("{kind:?}");
    assert!(condition.message.contains(&kind_name), "names the kind of {theirs}: {}", condition.message);
    assert!(condition.message.contains(&theirs.name), "names {theirs}: {}", condition.message);
    let event = chat.tells("NameTaken", &[&theirs.name]).await;
    assert_eq!(event.type_.as_deref(), Some("Warning"));
    assert_eq!(before["the operator's"], json!([]));
    assert_eq!(stable(&theirs).await, before, "{theirs} was changed");

    theirs.delete().await;

    ns.eventually(SOON, &format!("{theirs} is ours"), async || {
        let now = theirs.seen().await?;
        let owner = &now["metadata"]["ownerReferences"][0]["name"];
        if owner == name { Ok(()) } else { Err(format!("owned by {owner}")) }
    })
    .await;
    ns.eventually(SOON, &format!("the condition of {name} no longer mentions it"), async || {
        let status = chat.get().await.status.unwrap_or_default();
        let ready = status.conditions.into_iter().find(|c| c.type_ == "Ready").ok_or("no condition Ready")?;
        if ready.reason == "NameTaken" { Err(ready.message) } else { Ok(()) }
    })
    .await;
}

/// The parts of an object that only a person changes, and the operator's entries in its managed fields.
async fn stable(object: &Child) -> Value {
    let object = object.get().await;
    let metadata = &object["metadata"];
    let fields = metadata["managedFields"].as_array().cloned().unwrap_or_default();
    json!({
        "uid": metadata["uid"],
        "labels": metadata["labels"],
        "ownerReferences": metadata["ownerReferences"],
        "spec": object["spec"],
        "data": object["data"],
        "the operator's": fields.iter().filter(|field| field["manager"] == "chatcluster-operator").collect::<Vec<_>>(),
    })
}

#[tokio::test]
async fn a_child_of_one_chatcluster_is_foreign_to_another() {
    let ns = operator::namespace("twins").await;
    let first = ns.chat("a", json!({"service": {"publish": "Immediately"}})).await;
    first.has_all_children().await;

    // The second one's public Service would be called a-redis, like the first one's Service of Redis.
    let second = ns.chat("a-redis", json!({"service": {"publish": "Immediately"}})).await;

    second.becomes("Ready", "False", "NameTaken", SOON).await;
    let service = first.child(Kind::Service, "-redis").get().await;
    assert_eq!(service["metadata"]["ownerReferences"][0]["name"], "a");
    assert_eq!(service["spec"]["ports"][0]["port"], 6379);
}

#[tokio::test]
async fn a_child_that_lost_its_owner_reference_gets_it_back() {
    let ns = operator::namespace("orphan").await;
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately"}})).await;
    lobby.has_all_children().await;
    let config = lobby.child(Kind::ConfigMap, "-redis-config");
    let before = config.get().await["metadata"]["uid"].clone();

    config.edit(json!([{"op": "remove", "path": "/metadata/ownerReferences"}])).await;

    lobby.tells_of_repair(&config, &["metadata.ownerReferences"]).await;
    let now = config.get().await["metadata"].clone();
    assert_eq!(now["ownerReferences"][0]["name"], "lobby");
    assert_eq!(now["uid"], before, "it is the same object");
}

#[tokio::test]
async fn a_recreated_chatcluster_adopts_the_children_that_its_predecessor_left_behind() {
    let ns = operator::namespace("left-behind").await;
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately"}})).await;
    lobby.has_all_children().await;
    let (password, redis) = (lobby.password().await, lobby.child(Kind::StatefulSet, "-redis"));
    let before = redis.uid().await;

    kubectl(&["delete", "chatcluster", "lobby", "--namespace", &ns.name, "--cascade=orphan"])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    let lobby = ns.chat("lobby", json!({"service": {"publish": "Immediately"}})).await;

    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    lobby.owns_all_children().await;
    assert_eq!(redis.uid().await, before, "Redis is the same one");
    assert_eq!(lobby.password().await, password);
}
