//! Reports a `ChatCluster` that cannot be read, by a condition and one event. Such a cluster is not
//! reconciled.

use std::collections::HashMap;
use std::time::Duration;

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use k8s_openapi::jiff::Timestamp;
use kube::api::{Patch, PatchParams};
use kube::{Api, Client, Resource};
use serde_json::{Value, json};
use tokio::sync::watch;
use tracing::warn;

use crate::reconcile::events::EventContent;
use crate::reconcile::publisher::Publisher;
use crate::store::clusters::{Malformed, MalformedClusters, Stored};
use chatcluster_api::{ChatCluster, ConditionType, Reason};

/// The pause before a status that could not be written is retried.
const RETRY: Duration = Duration::from_secs(30);

/// Reports each malformed cluster once, for as long as this is polled.
pub(super) async fn report(
    client: Client,
    publisher: &Publisher,
    mut malformed: watch::Receiver<MalformedClusters>,
) {
    // The reported error of each cluster, by uid.
    let mut reported: HashMap<String, String> = HashMap::new();
    loop {
        let now: Vec<_> = malformed.borrow_and_update().values().cloned().collect();
        let uid = |cluster: &Malformed| cluster.metadata.uid.clone().unwrap_or_default();
        reported.retain(|known, _| now.iter().any(|cluster| uid(cluster) == *known));
        let mut all_well = true;
        for cluster in now {
            if reported.get(&uid(&cluster)) == Some(&cluster.error) {
                continue;
            }
            match tell(&client, publisher, &cluster).await {
                Ok(()) => {
                    reported.insert(uid(&cluster), cluster.error.clone());
                }
                Err(error) => {
                    warn!(name = cluster.metadata.name, namespace = cluster.metadata.namespace, %error,
                        "the status of a malformed ChatCluster could not be written");
                    all_well = false;
                }
            }
        }
        let changed = malformed.changed();
        if all_well {
            // The sender is gone only with the watch, and then there is nothing more to report.
            if changed.await.is_err() {
                return std::future::pending().await;
            }
        } else {
            let _ = tokio::time::timeout(RETRY, changed).await;
        }
    }
}

async fn tell(client: &Client, publisher: &Publisher, cluster: &Malformed) -> Result<(), kube::Error> {
    let Some(status) = status(cluster, Timestamp::now()) else { return Ok(()) };
    let metadata = &cluster.metadata;
    let (namespace, name) = (metadata.namespace.as_deref().unwrap_or_default(), metadata.name.as_deref());
    let reference = ObjectReference {
        api_version: Some(ChatCluster::api_version(&()).into_owned()),
        kind: Some(ChatCluster::kind(&()).into_owned()),
        namespace: metadata.namespace.clone(),
        name: metadata.name.clone(),
        uid: metadata.uid.clone(),
        resource_version: metadata.resource_version.clone(),
        ..ObjectReference::default()
    };
    let content = EventContent {
        warning: true,
        reason: Reason::Malformed.as_str(),
        note: message(cluster),
        related: None,
    };
    let api: Api<Stored> = Api::namespaced(client.clone(), namespace);
    let patch = Patch::Merge(json!({"metadata": {"uid": metadata.uid}, "status": status}));
    match api.patch_status(name.unwrap_or_default(), &PatchParams::default(), &patch).await {
        Ok(_) => {}
        // The object was deleted meanwhile, or recreated under its name.
        Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
        // The fault may keep the API server from accepting a status, too. Then only the event reports it.
        Err(kube::Error::Api(status)) if matches!(status.code, 400 | 422) => {
            warn!(name, namespace, error = %status, "the API server refuses the status of a malformed ChatCluster");
        }
        Err(error) => return Err(error),
    }
    publisher.publish(&reference, content).await;
    Ok(())
}

/// Returns the status that reports the fault; `None` if the status does so already. Other conditions stay as
/// they were, because the children keep running.
fn status(cluster: &Malformed, now: Timestamp) -> Option<Value> {
    let type_ = ConditionType::Ready.as_str();
    let mut condition = json!({
        "type": type_,
        "status": "False",
        "reason": Reason::Malformed.as_str(),
        "message": message(cluster),
        "observedGeneration": cluster.metadata.generation,
        "lastTransitionTime": Time(now),
    });
    let before = cluster.status["conditions"].as_array().cloned().unwrap_or_default();
    let (ready, others): (Vec<Value>, Vec<Value>) = before.into_iter().partition(|c| c["type"] == type_);
    let same =
        |field: &str, condition: &Value| ready.first().is_some_and(|ready| ready[field] == condition[field]);
    if ["status", "reason", "message", "observedGeneration"].into_iter().all(|field| same(field, &condition))
    {
        return None;
    }
    if same("status", &condition) {
        condition["lastTransitionTime"] = ready[0]["lastTransitionTime"].clone();
    }
    let conditions: Vec<Value> = std::iter::once(condition).chain(others).collect();
    Some(json!({"observedGeneration": cluster.metadata.generation, "conditions": conditions}))
}

fn message(cluster: &Malformed) -> String {
    format!(
        "the operator cannot read it and leaves it alone until it is corrected: {}; see: kubectl explain \
         chatcluster.spec --recursive",
        cluster.error
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn malformed(status: Value) -> Malformed {
        let metadata = serde_json::from_value(json!({"name": "lobby", "generation": 4})).unwrap();
        Malformed { metadata, status, error: "spec.hub.replicas: invalid type".to_owned() }
    }

    #[test]
    fn ready_says_which_field_is_wrong_and_the_other_conditions_stay() {
        let verified = json!({"type": "Verified", "status": "True", "reason": "Verified"});
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready"});

        let status =
            status(&malformed(json!({"conditions": [ready, verified]})), Timestamp::UNIX_EPOCH).unwrap();

        let conditions = status["conditions"].as_array().unwrap();
        assert_eq!(conditions.len(), 2);
        assert_eq!(conditions[0]["reason"], "Malformed");
        assert_eq!(conditions[0]["observedGeneration"], 4);
        assert!(conditions[0]["message"].as_str().unwrap().contains("spec.hub.replicas"));
        assert_eq!(conditions[1], verified);
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        let said = status(&malformed(Value::Null), Timestamp::UNIX_EPOCH).unwrap();

        assert_eq!(status(&malformed(said), Timestamp::now()), None);
    }
}
