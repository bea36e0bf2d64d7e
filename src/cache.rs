//! What a watch has seen of one kind, kept for reconciles to read, and what our own writes returned, so that a reconcile
//! reads its own writes before the watch has delivered them.
//!
//! Versions are compared as numbers, which Kubernetes guarantees for objects of one kind
//! (KEP-5504, <https://kep.k8s.io/5504>): an event that is older than what we wrote changes nothing.
//!
//! Objects are kept as JSON: decoded, most of an object is room for fields that it does not have, and for each map that has
//! an entry or two a node for eleven.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::names::INSTANCE;

/// Namespace and name.
pub type Key = (String, String);

/// The objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    inner: RwLock<Inner<K>>,
}

#[derive(Debug)]
struct Inner<K> {
    objects: BTreeMap<Key, Stored<K>>,
    /// While the watch lists anew: what it has listed so far, and what we wrote meanwhile.
    listed: Option<BTreeSet<Key>>,
    /// What went lately, and at which version: the answer to a write may come after the event that undid it.
    gone: HashMap<Key, u64>,
    going: VecDeque<(Instant, Key)>,
    synced: bool,
}

/// An object.
#[derive(Debug)]
struct Stored<K> {
    version: u64,
    /// The `ChatCluster` that the instance label names.
    cluster: Option<Box<str>>,
    json: Box<[u8]>,
    kind: PhantomData<fn() -> K>,
}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> Stored<K> {
    fn new(object: &K) -> Self {
        Self {
            version: version(object),
            cluster: object.labels().get(INSTANCE).map(|name| name.as_str().into()),
            json: serde_json::to_vec(object).expect("Kubernetes objects have string keys only").into(),
            kind: PhantomData,
        }
    }

    fn object(&self) -> Arc<K> {
        Arc::new(serde_json::from_slice(&self.json).expect("it was written by its own type"))
    }
}

/// How long an answer may be behind the events: no request takes longer.
const BEHIND: Duration = Duration::from_mins(5);

impl<K> Default for Cache<K> {
    fn default() -> Self {
        let inner = Inner {
            objects: BTreeMap::new(),
            listed: None,
            gone: HashMap::new(),
            going: VecDeque::new(),
            synced: false,
        };
        Self { inner: RwLock::new(inner) }
    }
}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> Cache<K> {
    /// The object, if it exists.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        self.read().objects.get(&(namespace.to_owned(), name.to_owned())).map(Stored::object)
    }

    /// All objects whose instance label names the cluster, and whose names begin with the cluster's and a hyphen, as those
    /// of all pods do; in the order of their names.
    pub fn of_cluster(&self, namespace: &str, cluster: &str) -> Vec<Arc<K>> {
        let first = (namespace.to_owned(), format!("{cluster}-"));
        let inner = self.read();
        inner
            .objects
            .range(&first..)
            .take_while(|((of, name), _)| *of == first.0 && name.starts_with(&first.1))
            .filter(|(_, stored)| stored.cluster.as_deref() == Some(cluster))
            .map(|(_, stored)| stored.object())
            .collect()
    }

    /// Whether the first list is complete.
    pub fn is_synced(&self) -> bool {
        self.read().synced
    }

    /// Keeps what a write of ours returned, unless something newer is known.
    pub fn remember(&self, object: &K) {
        let mut inner = self.write();
        if let Some(listed) = &mut inner.listed {
            listed.insert(key(object));
        }
        inner.insert(object);
    }

    /// Forgets what a delete of ours removed.
    pub fn forget(&self, object: &K) {
        self.write().remove(&key(object));
    }

    /// Takes an event of the watch. Returns the clusters (namespace and name) that it concerns.
    pub fn observe(&self, event: Event<K>) -> Vec<Key> {
        let mut inner = self.write();
        match event {
            Event::Init => {
                inner.listed = Some(BTreeSet::new());
                Vec::new()
            }
            Event::InitApply(object) => {
                let key = key(&object);
                let owners = inner.insert(&object);
                if let Some(listed) = &mut inner.listed {
                    listed.insert(key);
                }
                owners
            }
            Event::InitDone => {
                let listed = inner.listed.take().unwrap_or_default();
                let gone: Vec<Key> =
                    inner.objects.keys().filter(|key| !listed.contains(*key)).cloned().collect();
                inner.synced = true;
                gone.iter().flat_map(|key| inner.remove(key)).collect()
            }
            Event::Apply(object) => inner.insert(&object),
            Event::Delete(object) => {
                let key = key(&object);
                let newer = inner.objects.get(&key).is_some_and(|known| known.version > version(&object));
                if newer {
                    return Vec::new();
                }
                let mut owners: Vec<Key> = cluster_of(&object).into_iter().collect();
                owners.extend(inner.remove(&key));
                // One that a list only lacked has no version: nothing tells what came after it.
                if object.resource_version().is_some() {
                    inner.bury(key, version(&object));
                }
                owners
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner<K>> {
        self.inner.read().expect("no holder of this lock panics")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner<K>> {
        self.inner.write().expect("no holder of this lock panics")
    }
}

impl<K: Resource<DynamicType = ()> + Serialize + DeserializeOwned> Inner<K> {
    /// Returns the clusters that the object belongs and belonged to; none if it is older than what is known.
    fn insert(&mut self, object: &K) -> Vec<Key> {
        let (key, stored) = (key(object), Stored::new(object));
        let newest = self.objects.get(&key).map(|known| known.version);
        // At the very version at which it went it may still be there, without the label by which it is watched.
        let newest = newest.max(self.gone.get(&key).copied());
        if newest > Some(stored.version) {
            return Vec::new();
        }
        self.gone.remove(&key);
        let mut owners = self.remove(&key);
        owners.extend(cluster_of(object));
        self.objects.insert(key, stored);
        owners
    }

    fn bury(&mut self, key: Key, version: u64) {
        while let Some((_, old)) = self.going.pop_front_if(|(at, _)| at.elapsed() > BEHIND) {
            self.gone.remove(&old);
        }
        self.gone.insert(key.clone(), version);
        self.going.push_back((Instant::now(), key));
    }

    /// Returns the cluster that the object belonged to.
    fn remove(&mut self, key: &Key) -> Vec<Key> {
        let cluster = self.objects.remove(key).and_then(|stored| stored.cluster);
        cluster.map(|cluster| (key.0.clone(), cluster.into())).into_iter().collect()
    }
}

/// The object's.
pub(crate) fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}

fn cluster_of<K: Resource>(object: &K) -> Option<Key> {
    let name = object.labels().get(INSTANCE)?;
    Some((object.namespace().unwrap_or_default(), name.clone()))
}

/// The resource version as a number. One that is no number counts as the newest: no order of ours is better than the server's.
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::ConfigMap;

    fn object(name: &str, version: u32, cluster: &str) -> ConfigMap {
        let mut object = ConfigMap::default();
        object.metadata.name = Some(name.to_owned());
        object.metadata.namespace = Some("ns".to_owned());
        object.metadata.resource_version = Some(version.to_string());
        object.metadata.labels = Some(BTreeMap::from([(INSTANCE.to_owned(), cluster.to_owned())]));
        object
    }

    fn version_of(cache: &Cache<ConfigMap>, name: &str) -> Option<String> {
        cache.get("ns", name).and_then(|o| o.resource_version())
    }

    fn lobby() -> Vec<Key> {
        vec![("ns".to_owned(), "lobby".to_owned())]
    }

    #[test]
    fn an_older_event_does_not_undo_our_own_write() {
        let cache = Cache::default();
        cache.remember(&object("a", 7, "lobby"));

        assert_eq!(cache.observe(Event::Apply(object("a", 5, "lobby"))), Vec::new());
        assert_eq!(cache.observe(Event::Delete(object("a", 6, "lobby"))), Vec::new());

        assert_eq!(version_of(&cache, "a").as_deref(), Some("7"));
    }

    #[test]
    fn a_deletion_after_our_write_is_seen() {
        let cache = Cache::default();
        cache.remember(&object("a", 7, "lobby"));

        let concerned = cache.observe(Event::Delete(object("a", 8, "lobby")));

        assert!(concerned.starts_with(&lobby()));
        assert_eq!(version_of(&cache, "a"), None);
    }

    #[test]
    fn the_answer_to_a_write_that_comes_after_its_undoing_does_not_bring_the_object_back() {
        let cache = Cache::default();
        cache.remember(&object("a", 7, "lobby"));
        cache.observe(Event::Delete(object("a", 9, "lobby")));

        cache.remember(&object("a", 8, "lobby"));
        assert_eq!(version_of(&cache, "a"), None);

        cache.observe(Event::Apply(object("a", 10, "lobby")));
        assert_eq!(version_of(&cache, "a").as_deref(), Some("10"));
    }

    #[test]
    fn one_that_went_unseen_can_be_made_again() {
        let cache = Cache::default();
        cache.remember(&object("a", 7, "lobby"));
        let mut gone = object("a", 7, "lobby");
        gone.metadata.resource_version = None;
        cache.observe(Event::Delete(gone));

        cache.remember(&object("a", 9, "lobby"));

        assert_eq!(version_of(&cache, "a").as_deref(), Some("9"));
    }

    #[test]
    fn what_only_lost_its_label_can_be_remembered_as_it_is() {
        let cache = Cache::default();
        cache.remember(&object("a", 7, "lobby"));
        cache.observe(Event::Delete(object("a", 8, "lobby")));

        cache.remember(&object("a", 8, "lobby"));

        assert_eq!(version_of(&cache, "a").as_deref(), Some("8"));
    }

    #[test]
    fn what_a_new_list_lacks_is_gone_but_not_what_we_wrote_meanwhile() {
        let cache = Cache::default();
        cache.observe(Event::Apply(object("gone", 1, "lobby")));

        cache.observe(Event::Init);
        cache.observe(Event::InitApply(object("lobby-listed", 2, "lobby")));
        cache.remember(&object("lobby-written", 3, "lobby"));
        let concerned = cache.observe(Event::InitDone);

        assert_eq!(concerned, lobby());
        assert!(cache.is_synced());
        let names: Vec<_> = cache.of_cluster("ns", "lobby").iter().map(|o| o.name_any()).collect();
        assert_eq!(names, ["lobby-listed", "lobby-written"]);
    }

    #[test]
    fn an_object_that_changes_hands_concerns_both_clusters() {
        let cache = Cache::default();
        cache.observe(Event::Apply(object("lobby-a", 1, "lobby")));

        let concerned = cache.observe(Event::Apply(object("lobby-a", 2, "other")));

        assert_eq!(concerned, [("ns".into(), "lobby".into()), ("ns".into(), "other".into())]);
        assert!(cache.of_cluster("ns", "lobby").is_empty());
    }

    #[test]
    fn clusters_whose_names_begin_alike_are_told_apart() {
        let cache = Cache::default();
        for (name, cluster) in [("a-1", "a"), ("a-b-1", "a-b"), ("a-c", "a"), ("ab-1", "ab"), ("b-1", "a")] {
            cache.observe(Event::Apply(object(name, 1, cluster)));
        }

        let names: Vec<_> = cache.of_cluster("ns", "a").iter().map(|o| o.name_any()).collect();
        assert_eq!(names, ["a-1", "a-c"]);
    }
}
