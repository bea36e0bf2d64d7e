//! Situations in which the operator uses the rights that everyday life does not need. Afterwards the runner
//! compares all rights with the audit log (`xtask/src/test/rbac.rs`).

use serde_json::{Value, json};

use crate::support::{Kind, Namespace, PODS, kubectl, kubectl_with_input};

/// The label by which the operator watches its children.
const LABEL: &str = "app.kubernetes.io/managed-by";

#[tokio::test]
async fn the_operator_finds_what_lost_its_label_grows_a_volume_and_removes_what_is_switched_off() {
    let ns = Namespace::new("rights").await;
    let class = json!({
        "apiVersion": "storage.k8s.io/v1", "kind": "StorageClass",
        // A class like the one of cluster/manifests/local-path.yaml, whose volumes cannot grow.
        "metadata": {"name": ns.name, "annotations": {"defaultVolumeType": "local"}},
        "provisioner": "rancher.io/local-path", "volumeBindingMode": "WaitForFirstConsumer",
        "allowVolumeExpansion": true,
    });
    kubectl_with_input(&["apply", "--filename", "-"], &class.to_string()).await.expect("a storage class");
    let spec = json!({
        "hub": {"autoscaling": {"minReplicas": 1, "maxReplicas": 2}},
        "redis": {"storage": {"storageClassName": ns.name}},
    });
    let lobby = ns.chat("lobby", spec).await;
    let autoscaler = lobby.child(Kind::HorizontalPodAutoscaler, "-hub");
    ns.wait_for(&autoscaler, PODS).await;
    // Other conditions may report that the autoscaler has no metrics server.
    lobby.becomes("Published", "True", "Published", PODS).await;

    for child in lobby.children().into_iter().chain([autoscaler.clone()]) {
        child.merge(json!({"metadata": {"labels": {LABEL: null}}})).await;
        ns.eventually(PODS, &format!("{child} has its label again"), async || {
            match &child.seen().await?["metadata"]["labels"][LABEL] {
                Value::String(label) if label == "chatcluster-operator" => Ok(()),
                other => Err(format!("{other}")),
            }
        })
        .await;
    }

    let claim = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    let set = lobby.child(Kind::StatefulSet, "-redis").uid().await;
    lobby.set(json!({"redis": {"storage": {"size": "2Gi"}}})).await;
    ns.eventually(PODS, "the claim asks for more", async || {
        let asked = claim.seen().await?["spec"]["resources"]["requests"]["storage"].clone();
        if asked == "2Gi" { Ok(()) } else { Err(asked.to_string()) }
    })
    .await;
    let stateful_set = lobby.child(Kind::StatefulSet, "-redis");
    ns.wait_for_another(&stateful_set, &set, PODS).await;

    let policy = lobby.child(Kind::NetworkPolicy, "-redis");
    lobby.set(json!({"hub": {"autoscaling": null}, "networkPolicy": {"enabled": false}})).await;
    for child in [autoscaler, policy] {
        ns.wait_until_gone(&child, PODS).await;
    }
    kubectl(&["delete", "storageclass", &ns.name, "--wait=false"]).await.expect("deleting the storage class");
}
