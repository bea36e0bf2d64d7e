//! `ChatClusters` in the cache. They are compressed: decoded, each would take ten times the memory.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::Deserialize;

use crate::metrics::InCondition;
use crate::queue::Urgency;
use crate::store::compressed::{Compressed, Compressor};
use chatcluster_api::ChatCluster;

/// A `ChatCluster`, compressed. Its metadata here is only what identifies it, its version and its generation.
#[derive(Clone, Debug, Resource)]
#[resource(inherit = ChatCluster)]
pub struct ClusterRecord {
    metadata: ObjectMeta,
    /// The generation that its status describes.
    observed_generation: Option<i64>,
    json: Compressed,
}

impl ClusterRecord {
    /// Compresses a `ChatCluster`.
    pub(crate) fn new(cluster: &ChatCluster, packer: &Compressor) -> Self {
        let ObjectMeta { namespace, name, uid, generation, resource_version, .. } = cluster.metadata.clone();
        Self {
            metadata: ObjectMeta {
                namespace,
                name,
                uid,
                generation,
                resource_version,
                ..ObjectMeta::default()
            },
            observed_generation: cluster.status.as_ref().and_then(|status| status.observed_generation),
            json: packer.object(cluster),
        }
    }

    /// Returns the urgency of a reconcile, as far as the object alone shows it.
    pub(crate) fn urgency(&self) -> Urgency {
        match self.observed_generation {
            None => Urgency::New,
            observed if observed == self.metadata.generation => Urgency::Later,
            Some(_) => Urgency::Now,
        }
    }

    /// Returns the whole object.
    pub fn cluster(&self) -> ChatCluster {
        self.json.object()
    }

    /// Returns the labels under which its conditions are counted. Nothing else is decoded, because many
    /// clusters are counted.
    pub(crate) fn conditions(&self) -> Vec<InCondition> {
        #[derive(Deserialize)]
        struct Cluster<'a> {
            #[serde(borrow, default)]
            status: Option<Status<'a>>,
        }
        #[derive(Deserialize)]
        struct Status<'a> {
            #[serde(borrow, default)]
            conditions: Vec<Condition<'a>>,
        }
        #[derive(Deserialize)]
        struct Condition<'a> {
            #[serde(borrow, rename = "type")]
            type_: Cow<'a, str>,
            #[serde(borrow)]
            status: Cow<'a, str>,
            #[serde(borrow)]
            reason: Cow<'a, str>,
        }

        let json = self.json.text();
        let cluster: Cluster<'_> = serde_json::from_slice(&json).expect("it was written by its own type");
        let conditions = cluster.status.into_iter().flat_map(|status| status.conditions);
        let labels = |condition: Condition<'_>| InCondition {
            condition: condition.type_.into_owned(),
            status: condition.status.into_owned(),
            reason: condition.reason.into_owned(),
        };
        conditions.map(labels).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_cluster_comes_back_whole_and_its_conditions_can_be_had_by_themselves() {
        let condition = |type_: &str| {
            json!({"type": type_, "status": "False", "reason": "Paused", "message": "paused:\n\"until\"",
                   "lastTransitionTime": "2026-01-02T03:04:05Z"})
        };
        let cluster: ChatCluster = serde_json::from_value(json!({
            "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": "lobby", "namespace": "team", "uid": "u", "generation": 7,
                         "annotations": {"note": "x"}},
            "spec": {"hub": {"replicas": 3}},
            "status": {"conditions": [condition("Ready"), condition("HubReady")]},
        }))
        .unwrap();

        let known = ClusterRecord::new(&cluster, &Compressor::default());

        assert_eq!(serde_json::to_value(known.cluster()).unwrap(), serde_json::to_value(&cluster).unwrap());
        let in_words = |c: InCondition| format!("{} {} {}", c.condition, c.status, c.reason);
        let conditions: Vec<String> = known.conditions().into_iter().map(in_words).collect();
        assert_eq!(conditions, ["Ready False Paused", "HubReady False Paused"]);
        assert_eq!((known.metadata.name, known.metadata.generation), (Some("lobby".to_owned()), Some(7)));
    }

    #[test]
    fn one_without_a_status_has_no_conditions() {
        let cluster = ChatCluster::new("lobby", chatcluster_api::ChatClusterSpec::default());

        assert_eq!(ClusterRecord::new(&cluster, &Compressor::default()).conditions(), []);
    }
}
