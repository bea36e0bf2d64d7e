//! The watch on `ChatClusters`: objects that can be read go to a store, those that cannot are set aside, so
//! that one malformed object does not stall the others.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use futures::StreamExt;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::runtime::reflector::{ObjectRef, Store, store::Writer};
use kube::runtime::watcher::{Config, Event};
use kube::{Client, Resource, ResourceExt};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tracing::{debug, error, warn};

use crate::key::{Key, key};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::store::cluster_record::ClusterRecord;
use crate::store::compressed::Compressor;
use crate::store::scope::{Part, Scope};
use crate::store::watches::events_within;
use chatcluster_api::{ChatCluster, ChatClusterSpec};

/// A `ChatCluster` as the API server stores it, whether or not this version can read it.
#[derive(Clone, Debug, Deserialize, Resource)]
#[resource(inherit = ChatCluster)]
pub(crate) struct Stored {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Value,
    #[serde(default)]
    status: Value,
}

/// A `ChatCluster` whose spec this version cannot read.
#[derive(Clone, Debug, PartialEq)]
pub struct Malformed {
    /// The metadata, which the API server has validated.
    pub metadata: ObjectMeta,
    /// The status, whose form is unchecked.
    pub status: Value,
    /// The field that is wrong, and how.
    pub error: String,
}

/// The malformed clusters by namespace and name.
pub type MalformedClusters = HashMap<Key, Arc<Malformed>>;

/// The clusters that the watch has seen.
pub struct Clusters {
    /// The clusters that can be read.
    pub store: Store<ClusterRecord>,
    /// The clusters that cannot be read.
    pub malformed: watch::Receiver<MalformedClusters>,
    /// The watch's task.
    pub task: AbortHandle,
}

/// The effect of an event on the clusters.
#[derive(Debug)]
enum Effect {
    /// A cluster is new, or has changed.
    Changed(Box<ClusterRecord>),
    /// Clusters were deleted, or can no longer be read.
    Gone(Vec<Arc<ClusterRecord>>),
}

/// Starts the watch, which fills the store and queues clusters for a reconcile. It skips the versions that
/// `wrote` recognises as the operator's own status updates. `gone` is called for each cluster that was
/// deleted, or can no longer be read.
pub fn start(
    client: &Client,
    scope: &Scope,
    queue: &Arc<Queue>,
    metrics: &Arc<Metrics>,
    (store, writer): (Store<ClusterRecord>, Writer<ClusterRecord>),
    wrote: impl Fn(&ClusterRecord) -> bool + Send + 'static,
    gone: impl Fn(&ClusterRecord) + Send + 'static,
) -> Clusters {
    let (sender, malformed) = watch::channel(HashMap::new());
    let mut seen = Seen::new(scope, store.clone(), writer, sender, metrics.clone());
    let mut events = events_within(scope, client, &Config::default(), metrics);
    let queue = queue.clone();
    let task = tokio::spawn(async move {
        while let Some((part, event)) = events.next().await {
            match seen.observe(&part, event) {
                Some(Effect::Changed(cluster)) if wrote(&cluster) => {}
                Some(Effect::Changed(cluster)) => queue.push(&key(&*cluster), cluster.urgency()),
                Some(Effect::Gone(clusters)) => {
                    for cluster in clusters {
                        debug!(cluster = cluster.name_any(), namespace = cluster.namespace(), "gone");
                        gone(&cluster);
                    }
                }
                None => {}
            }
        }
    });
    Clusters { store, malformed, task: task.abort_handle() }
}

/// Returns the cluster of that key.
pub(crate) fn find_cluster(
    store: &Store<ClusterRecord>,
    (namespace, name): &Key,
) -> Option<Arc<ClusterRecord>> {
    store.get(&ObjectRef::new(name).within(namespace))
}

struct Seen {
    store: Store<ClusterRecord>,
    writer: Writer<ClusterRecord>,
    packer: Compressor,
    metrics: Arc<Metrics>,
    malformed: watch::Sender<MalformedClusters>,
    /// For each part of the scope whose watch is listing: the clusters listed so far.
    listed: BTreeMap<Part, BTreeSet<Key>>,
    /// The parts whose first list is not complete.
    unlisted: BTreeSet<Part>,
}

impl Seen {
    fn new(
        scope: &Scope,
        store: Store<ClusterRecord>,
        writer: Writer<ClusterRecord>,
        malformed: watch::Sender<MalformedClusters>,
        metrics: Arc<Metrics>,
    ) -> Self {
        let (listed, packer) = (BTreeMap::new(), Compressor::default());
        Self { store, writer, packer, metrics, malformed, listed, unlisted: scope.parts() }
    }

    fn observe(&mut self, part: &Part, event: Event<Stored>) -> Option<Effect> {
        match event {
            Event::Init => {
                self.listed.insert(part.clone(), BTreeSet::new());
                None
            }
            Event::InitApply(object) => {
                if let Some(listed) = self.listed.get_mut(part) {
                    listed.insert(key(&object));
                }
                Some(self.keep(object))
            }
            Event::Apply(object) => Some(self.keep(object)),
            Event::Delete(object) => Some(Effect::Gone(self.remove(&key(&object)).into_iter().collect())),
            Event::InitDone => Some(Effect::Gone(self.listed(part))),
        }
    }

    fn keep(&mut self, object: Stored) -> Effect {
        let key = key(&object);
        match parse(object) {
            Ok(cluster) => {
                self.malformed.send_if_modified(|malformed| malformed.remove(&key).is_some());
                // As an event of its own: parts of a list show in the store only once the list is complete.
                let cluster = ClusterRecord::new(&cluster, &self.packer);
                let before = self.known(&key).map(|known| known.conditions());
                self.metrics.cluster_changed(before, Some(cluster.conditions()));
                self.writer.apply_watcher_event(&Event::Apply(cluster.clone()));
                Effect::Changed(Box::new(cluster))
            }
            Err(malformed) => {
                let (namespace, name) = &key;
                error!(
                    namespace,
                    name,
                    error = malformed.error,
                    "a ChatCluster is malformed; it is left alone"
                );
                let gone = self.remove(&key);
                self.malformed.send_modify(|all| {
                    all.insert(key, Arc::new(*malformed));
                });
                Effect::Gone(gone.into_iter().collect())
            }
        }
    }

    fn remove(&mut self, key: &Key) -> Option<Arc<ClusterRecord>> {
        self.malformed.send_if_modified(|malformed| malformed.remove(key).is_some());
        let known = self.known(key)?;
        self.metrics.cluster_changed(Some(known.conditions()), None);
        self.writer.apply_watcher_event(&Event::Delete((*known).clone()));
        Some(known)
    }

    fn known(&self, cluster: &Key) -> Option<Arc<ClusterRecord>> {
        find_cluster(&self.store, cluster)
    }

    /// Removes the clusters that the list of `part`, now complete, lacks.
    fn listed(&mut self, part: &Part) -> Vec<Arc<ClusterRecord>> {
        let listed = self.listed.remove(part).unwrap_or_default();
        let known = self.store.state().into_iter().map(|cluster| key(&*cluster));
        let known: BTreeSet<Key> = known.chain(self.malformed.borrow().keys().cloned()).collect();
        let gone = known.difference(&listed).filter(|(namespace, _)| part.covers(namespace));
        let gone: Vec<Key> = gone.cloned().collect();
        let gone = gone.iter().filter_map(|key| self.remove(key)).collect();
        if self.unlisted.remove(part) && self.unlisted.is_empty() {
            // Marks the store as ready for its readers, without replacing its content.
            let all = self.store.state();
            self.writer.apply_watcher_event(&Event::Init);
            for cluster in all {
                self.writer.apply_watcher_event(&Event::InitApply((*cluster).clone()));
            }
            self.writer.apply_watcher_event(&Event::InitDone);
        }
        gone
    }
}

fn parse(object: Stored) -> Result<ChatCluster, Box<Malformed>> {
    let Stored { metadata, spec, status } = object;
    let parsed: Result<ChatClusterSpec, _> = serde_path_to_error::deserialize(&spec);
    let spec = match parsed {
        Ok(spec) => spec,
        Err(error) => {
            let error = format!("spec.{}: {}", error.path(), error.inner());
            return Err(Box::new(Malformed { metadata, status, error }));
        }
    };
    // The status belongs to the operator. One that somebody has damaged is written again.
    let status = serde_json::from_value(status).unwrap_or_else(|error| {
        warn!(name = metadata.name, namespace = metadata.namespace, %error, "a status cannot be read");
        None
    });
    Ok(ChatCluster { metadata, spec, status })
}

#[cfg(test)]
mod tests {
    use super::*;
    use kube::ResourceExt;
    use serde_json::json;

    fn stored(name: &str, spec: &Value) -> Stored {
        let metadata = json!({"name": name, "namespace": "team", "uid": name, "generation": 3});
        serde_json::from_value(json!({"metadata": metadata, "spec": spec})).unwrap()
    }

    fn good(name: &str) -> Stored {
        stored(name, &json!({"hub": {"replicas": 3}}))
    }

    fn bad(name: &str) -> Stored {
        stored(name, &json!({"hub": {"replicas": "three"}}))
    }

    fn seen() -> (Seen, watch::Receiver<MalformedClusters>) {
        let (store, writer) = kube::runtime::reflector::store();
        let (malformed, receiver) = watch::channel(HashMap::new());
        (Seen::new(&Scope::Cluster, store, writer, malformed, Arc::default()), receiver)
    }

    fn names(seen: &Seen) -> Vec<String> {
        let mut names: Vec<_> = seen.store.state().iter().map(|cluster| cluster.name_any()).collect();
        names.sort();
        names
    }

    fn changed(effect: Option<Effect>) -> Option<Key> {
        match effect {
            Some(Effect::Changed(cluster)) => Some(key(&*cluster)),
            _ => None,
        }
    }

    fn team(name: &str) -> Key {
        ("team".to_owned(), name.to_owned())
    }

    #[test]
    fn a_malformed_one_is_set_aside_and_the_others_are_kept() {
        let (mut seen, malformed) = seen();

        seen.observe(&Part::Cluster, Event::Init);
        seen.observe(&Part::Cluster, Event::InitApply(good("a")));
        seen.observe(&Part::Cluster, Event::InitApply(bad("b")));
        seen.observe(&Part::Cluster, Event::InitApply(good("c")));
        seen.observe(&Part::Cluster, Event::InitDone);

        assert_eq!(names(&seen), ["a", "c"]);
        assert_eq!(malformed.borrow().len(), 1);
        let error = malformed.borrow()[&team("b")].error.clone();
        assert!(error.starts_with("spec.hub.replicas: invalid type: string \"three\""), "{error}");
    }

    #[test]
    fn one_that_becomes_malformed_is_reconciled_no_longer_until_it_is_right_again() {
        let (mut seen, malformed) = seen();
        assert_eq!(changed(seen.observe(&Part::Cluster, Event::Apply(good("a")))), Some(team("a")));

        let Some(Effect::Gone(gone)) = seen.observe(&Part::Cluster, Event::Apply(bad("a"))) else {
            panic!("not gone")
        };
        assert_eq!(gone.len(), 1);
        assert_eq!(names(&seen), [""; 0]);

        assert_eq!(changed(seen.observe(&Part::Cluster, Event::Apply(good("a")))), Some(team("a")));
        assert!(malformed.borrow().is_empty());
        assert_eq!(names(&seen), ["a"]);
    }

    #[test]
    fn what_a_new_list_lacks_is_gone() {
        let (mut seen, malformed) = seen();
        for object in [good("a"), good("b"), bad("c")] {
            seen.observe(&Part::Cluster, Event::Apply(object));
        }

        seen.observe(&Part::Cluster, Event::Init);
        seen.observe(&Part::Cluster, Event::InitApply(good("b")));
        let Some(Effect::Gone(gone)) = seen.observe(&Part::Cluster, Event::InitDone) else {
            panic!("nothing is gone")
        };

        assert_eq!(gone.iter().map(|cluster| cluster.name_any()).collect::<Vec<_>>(), ["a"]);
        assert_eq!(names(&seen), ["b"]);
        assert!(malformed.borrow().is_empty());
    }

    #[test]
    fn a_spoilt_status_spoils_nothing_else() {
        let mut object = good("a");
        object.status = json!({"hub": "spoilt"});

        assert_eq!(parse(object).unwrap().status, None);
    }
}
