//! A volume grows: the claim asks for more, the StatefulSet is recreated around its pod, nothing restarts.

use k8s_openapi::api::core::v1::PersistentVolume;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::api::{Api, DeleteParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::operator;
use crate::support::{Chat, Kind, Namespace, SOON};

/// A storage class with one volume, which is created by hand because nothing provisions volumes here.
struct Class {
    name: String,
    classes: Api<StorageClass>,
}

impl Class {
    async fn new(ns: &Namespace, expands: bool) -> Self {
        let name = ns.name.clone();
        let classes = Api::all(ns.client.clone());
        let class = json!({
            "metadata": {"name": name}, "provisioner": "example.com/by-hand", "allowVolumeExpansion": expands
        });
        let class: StorageClass = serde_json::from_value(class).expect("a storage class");
        classes.create(&PostParams::default(), &class).await.expect("creating a storage class");
        let volume = json!({
            "metadata": {"name": name},
            "spec": {
                "storageClassName": name, "capacity": {"storage": "1Gi"}, "accessModes": ["ReadWriteOnce"],
                "hostPath": {"path": "/nowhere"}, "claimRef": {"namespace": ns.name, "name": "data-lobby-redis-0"}
            }
        });
        let volume: PersistentVolume = serde_json::from_value(volume).expect("a volume");
        let volumes: Api<PersistentVolume> = Api::all(ns.client.clone());
        volumes.create(&PostParams::default(), &volume).await.expect("creating a volume");
        Self { name, classes }
    }

    async fn may_expand(&self) {
        let patch = Patch::Merge(json!({"allowVolumeExpansion": true}));
        self.classes.patch(&self.name, &PatchParams::default(), &patch).await.expect("patching the class");
    }

    async fn delete(self, ns: &Namespace) {
        let volumes: Api<PersistentVolume> = Api::all(ns.client.clone());
        let _ = volumes.delete(&self.name, &DeleteParams::default()).await;
        let _ = self.classes.delete(&self.name, &DeleteParams::default()).await;
    }
}

async fn lobby<'a>(ns: &'a Namespace, class: &Class) -> Chat<'a> {
    let storage = json!({"size": "1Gi", "storageClassName": class.name});
    let lobby = ns.chat("lobby", json!({"redis": {"storage": storage}})).await;
    let claim = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    ns.eventually(SOON, "the claim has its volume", async || {
        let phase = claim.seen().await?["status"]["phase"].clone();
        if phase == "Bound" { Ok(()) } else { Err(phase.to_string()) }
    })
    .await;
    ns.wait_for(&lobby.child(Kind::Pod, "-redis-0"), SOON).await;
    lobby
}

async fn asks_for(ns: &Namespace, size: &str) {
    let claim = ns.child(Kind::PersistentVolumeClaim, "data-lobby-redis-0");
    ns.eventually(SOON, &format!("the claim asks for {size}"), async || {
        let now = claim.seen().await?["spec"]["resources"]["requests"]["storage"].clone();
        if now == size { Ok(()) } else { Err(now.to_string()) }
    })
    .await;
}

#[tokio::test]
async fn a_volume_grows_without_a_restart() {
    let ns = operator::namespace("grow").await;
    let class = Class::new(&ns, true).await;
    let lobby = lobby(&ns, &class).await;
    let (set, pod) = (lobby.child(Kind::StatefulSet, "-redis"), lobby.child(Kind::Pod, "-redis-0"));
    let (set_before, pod_before) = (set.uid().await, pod.uid().await);
    let template = set.get().await["status"]["updateRevision"].clone();

    lobby.set(json!({"redis": {"storage": {"size": "2Gi"}}})).await;

    asks_for(&ns, "2Gi").await;
    let recreated = ns.wait_for_another(&set, &set_before, SOON).await;
    let claim = &recreated["spec"]["volumeClaimTemplates"][0];
    assert_eq!(claim["spec"]["resources"]["requests"]["storage"], "2Gi");
    ns.eventually(SOON, "the StatefulSet has adopted its pod", async || {
        let (set, pod) = (set.seen().await?, pod.seen().await?);
        let owner = pod["metadata"]["ownerReferences"][0]["uid"].clone();
        if owner == set["metadata"]["uid"] { Ok(()) } else { Err(format!("the pod's owner is {owner}")) }
    })
    .await;
    ns.eventually(SOON, "the pod has the current template", async || {
        let status = set.seen().await?["status"].clone();
        if status["updateRevision"] == template && status["currentReplicas"] == 1 {
            Ok(())
        } else {
            Err(status.to_string())
        }
    })
    .await;
    assert_eq!(pod.uid().await, pod_before, "the pod was not restarted");
    lobby.tells("Growing", &["2Gi", "1Gi"]).await;
    lobby.tells("Recreating", &["StatefulSet lobby-redis", "volumeClaimTemplates"]).await;
    let events = lobby.events().await;
    assert!(events.iter().all(|event| event.reason.as_deref() != Some("Repaired")), "{events:#?}");
    class.delete(&ns).await;
}

#[tokio::test]
async fn a_storage_class_that_cannot_expand_is_reported_until_it_can() {
    let ns = operator::namespace("grow-not").await;
    let class = Class::new(&ns, false).await;
    let lobby = lobby(&ns, &class).await;
    let set = lobby.child(Kind::StatefulSet, "-redis");
    let before = set.uid().await;

    lobby.set(json!({"redis": {"storage": {"size": "2Gi"}}})).await;

    let said = lobby.becomes("Ready", "False", "VolumeNotExpandable", SOON).await;
    assert!(
        said.message.contains(&class.name) && said.message.contains("from 1Gi to 2Gi"),
        "{}",
        said.message
    );
    lobby.tells("VolumeNotExpandable", &["allowVolumeExpansion"]).await;
    assert_eq!(set.uid().await, before, "the StatefulSet stays while nothing can be done");

    class.may_expand().await;

    asks_for(&ns, "2Gi").await;
    ns.wait_for_another(&set, &before, SOON).await;
    class.delete(&ns).await;
}
