//! The watch cache of one kind. It also takes the answers to the operator's own writes, so that a reconcile
//! reads its own writes before the watch delivers them.
//!
//! Resource versions are compared as numbers, which Kubernetes guarantees for objects of one kind (KEP-5504,
//! <https://kep.k8s.io/5504>): an event that is older than our own write changes nothing.
//!
//! Objects are kept as compressed JSON of the API server. Most of a decoded object is room for fields that it
//! does not have, and each map with an entry or two takes a node for eleven. See
//! docs/decisions/0002-own-cache.md.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::marker::PhantomData;
use std::sync::{Arc, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::{Duration, Instant};

use kube::runtime::watcher::Event;
use kube::{Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::key::Key;
use crate::queue::Urgency;
use crate::store::compressed::{Compressed, Compressor};
use crate::store::scope::{Part, Scope};
use crate::store::undecoded::Undecoded;
use chatcluster_api::names::INSTANCE;

/// The cached objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    inner: RwLock<Inner>,
    packer: Compressor,
    kind: PhantomData<fn() -> K>,
}

#[derive(Debug)]
struct Inner {
    objects: BTreeMap<Path, Stored>,
    /// For each part of the scope whose watch is listing: the objects listed so far, and those we wrote
    /// meanwhile.
    listed: BTreeMap<Part, BTreeSet<Path>>,
    /// The parts whose first list is not complete.
    unlisted: BTreeSet<Part>,
    /// The objects deleted lately, with the version of their deletion: the answer to a write may arrive after
    /// the event of a later deletion.
    deleted: HashMap<Path, u64>,
    deletions: VecDeque<(Instant, Path)>,
}

/// Namespace and name, separated by a slash, which neither can contain. One string takes less memory than
/// two.
type Path = Box<str>;

/// The clusters that an event concerns.
#[derive(Debug, PartialEq, Eq)]
pub struct Affected {
    /// Namespaces and names of the clusters, possibly with repetitions.
    pub clusters: Vec<Key>,
    /// The urgency of their reconciles.
    pub urgency: Urgency,
}

/// A cached object.
#[derive(Debug)]
struct Stored {
    version: u64,
    /// The generation, which changes with the spec; 0 for kinds that have none.
    generation: u32,
    /// The `ChatCluster` that the instance label names.
    cluster: Option<Box<str>>,
    json: Compressed,
    /// The desired state that the object was last found to satisfy.
    satisfies: Option<StateHash>,
}

/// Hash of one desired state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StateHash([u8; 16]);

impl StateHash {
    /// Returns the hash of a desired object.
    ///
    /// # Panics
    /// If the object has maps whose keys are not strings, which no Kubernetes type has.
    pub fn of<K: Serialize>(desired: &K) -> Self {
        let json = serde_json::to_vec(desired).expect("Kubernetes objects have string keys only");
        let digest = Sha256::digest(json);
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Self(mark)
    }
}

/// The longest time by which an answer may come after an event: no request takes longer.
const BEHIND: Duration = Duration::from_mins(5);

impl<K> Default for Cache<K> {
    fn default() -> Self {
        Self::within(&Scope::Cluster)
    }
}

impl<K> Cache<K> {
    /// Creates an empty cache of the objects in `scope`.
    pub fn within(scope: &Scope) -> Self {
        let inner = Inner {
            objects: BTreeMap::new(),
            listed: BTreeMap::new(),
            unlisted: scope.parts(),
            deleted: HashMap::new(),
            deletions: VecDeque::new(),
        };
        Self { inner: RwLock::new(inner), packer: Compressor::default(), kind: PhantomData }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Cache<K> {
    /// Returns the object, if it exists.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let json = self.read().objects.get(&path(namespace, name)).map(|stored| stored.json.clone());
        json.map(|json| Arc::new(json.object()))
    }

    /// Returns all objects of a cluster by name: those whose instance label names the cluster, and whose name
    /// begins with the cluster's name and a hyphen, as the names of all its pods do.
    pub fn of_cluster(&self, namespace: &str, cluster: &str) -> Vec<Arc<K>> {
        let first = path(namespace, &format!("{cluster}-"));
        let of_it: Vec<Compressed> = self
            .read()
            .objects
            .range(first.clone()..)
            .take_while(|(path, _)| path.starts_with(&*first))
            .filter(|(_, stored)| stored.cluster.as_deref() == Some(cluster))
            .map(|(_, stored)| stored.json.clone())
            .collect();
        of_it.iter().map(|json| Arc::new(json.object())).collect()
    }

    /// True if the cached version of the object was found to satisfy the desired state of that hash.
    pub fn satisfies(&self, namespace: &str, name: &str, mark: StateHash) -> bool {
        self.read().objects.get(&path(namespace, name)).is_some_and(|stored| stored.satisfies == Some(mark))
    }

    /// Records that `object` satisfies the desired state of that hash, until another version of it arrives.
    pub fn found(&self, object: &impl Resource, mark: StateHash) {
        let mut inner = self.write();
        let stored = inner.objects.get_mut(&path_of(object));
        if let Some(stored) = stored.filter(|stored| stored.is(version(object))) {
            stored.satisfies = Some(mark);
        }
    }

    /// True once the first list of every part of the scope is complete.
    pub fn is_synced(&self) -> bool {
        self.read().unlisted.is_empty()
    }

    /// Caches the answer to one of the operator's writes, unless a newer version is cached.
    pub fn remember(&self, object: &Undecoded<K>) {
        let mut inner = self.write();
        inner.list(&path_of(object));
        inner.insert(object, &self.packer);
    }

    /// Removes an object that the operator deleted.
    pub fn forget(&self, object: &impl Resource) {
        self.write().remove(&path_of(object));
    }

    /// Applies an event of the watch of that part of the scope, and returns the clusters that it concerns.
    pub fn observe(&self, part: &Part, event: Event<Undecoded<K>>) -> Affected {
        let mut inner = self.write();
        match event {
            Event::Init => {
                inner.listed.insert(part.clone(), BTreeSet::new());
                Affected::none()
            }
            Event::InitApply(object) => {
                inner.list(&path_of(&object));
                inner.insert(&object, &self.packer)
            }
            Event::InitDone => {
                let listed = inner.listed.remove(part).unwrap_or_default();
                let gone = |path: &&Path| part.covers(namespace_of(path)) && !listed.contains(*path);
                let gone: Vec<Path> = inner.objects.keys().filter(gone).cloned().collect();
                inner.unlisted.remove(part);
                let clusters = gone.iter().flat_map(|path| inner.remove(path)).collect();
                Affected { clusters, urgency: Urgency::Now }
            }
            Event::Apply(object) => inner.insert(&object, &self.packer),
            Event::Delete(object) => {
                let path = path_of(&object);
                let newer = inner.objects.get(&path).is_some_and(|known| known.version > version(&object));
                if newer {
                    return Affected::none();
                }
                let mut clusters: Vec<Key> = cluster_of(&object).into_iter().collect();
                clusters.extend(inner.remove(&path));
                inner.remember_deletion(path, version(&object));
                Affected { clusters, urgency: Urgency::Now }
            }
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, Inner> {
        self.inner.read().expect("no holder of this lock panics")
    }

    fn write(&self) -> RwLockWriteGuard<'_, Inner> {
        self.inner.write().expect("no holder of this lock panics")
    }
}

impl Affected {
    fn none() -> Self {
        Self { clusters: Vec::new(), urgency: Urgency::Later }
    }
}

impl Inner {
    /// Returns the clusters that the object belongs and belonged to; none if it is older than what is known.
    fn insert<K: Resource>(&mut self, object: &Undecoded<K>, packer: &Compressor) -> Affected {
        let (path, version) = (path_of(object), version(object));
        let known = self.objects.get(&path);
        // The watch also delivers our own writes, whose answers are cached already.
        if known.is_some_and(|known| known.is(version)) {
            return Affected { clusters: cluster_of(object).into_iter().collect(), urgency: Urgency::Later };
        }
        let generation =
            object.meta().generation.map_or(0, |generation| u32::try_from(generation).unwrap_or(u32::MAX));
        let urgency = match known {
            None => Urgency::Later,
            // Only the status has changed.
            Some(known) if known.generation == generation && generation != 0 => Urgency::Soon,
            Some(_) => Urgency::Now,
        };
        let newest = known.map(|known| known.version);
        // An object may still exist at the version of its deletion event: without the label that the watch
        // selects.
        let newest = newest.max(self.deleted.get(&path).copied());
        if newest > Some(version) {
            return Affected::none();
        }
        self.deleted.remove(&path);
        let mut clusters = self.remove(&path);
        clusters.extend(cluster_of(object));
        let cluster = object.labels().get(INSTANCE).map(|name| name.as_str().into());
        let json = packer.pack(object.json().as_bytes());
        self.objects.insert(path, Stored { version, generation, cluster, json, satisfies: None });
        Affected { clusters, urgency }
    }

    /// Records for all running lists that the object exists.
    fn list(&mut self, path: &Path) {
        for listed in self.listed.values_mut() {
            listed.insert(path.clone());
        }
    }

    fn remember_deletion(&mut self, path: Path, version: u64) {
        while let Some((_, old)) = self.deletions.pop_front_if(|(at, _)| at.elapsed() > BEHIND) {
            self.deleted.remove(&old);
        }
        self.deleted.insert(path.clone(), version);
        self.deletions.push_back((Instant::now(), path));
    }

    /// Returns the cluster that the object belonged to.
    fn remove(&mut self, path: &str) -> Vec<Key> {
        let cluster = self.objects.remove(path).and_then(|stored| stored.cluster);
        cluster.map(|cluster| (namespace_of(path).to_owned(), cluster.into())).into_iter().collect()
    }
}

impl Stored {
    /// True if the object has exactly this version. `u64::MAX` stands for an unknown version and never
    /// matches.
    fn is(&self, version: u64) -> bool {
        self.version == version && version != u64::MAX
    }
}

fn path(namespace: &str, name: &str) -> Path {
    format!("{namespace}/{name}").into()
}

fn namespace_of(path: &str) -> &str {
    path.split_once('/').map_or("", |(namespace, _)| namespace)
}

fn path_of<K: Resource>(object: &K) -> Path {
    let meta = object.meta();
    path(meta.namespace.as_deref().unwrap_or_default(), meta.name.as_deref().unwrap_or_default())
}

fn cluster_of<K: Resource>(object: &K) -> Option<Key> {
    let name = object.labels().get(INSTANCE)?;
    Some((object.namespace().unwrap_or_default(), name.clone()))
}

/// Returns the resource version as a number. A version that is not a number counts as the newest, because the
/// server's order of events is then the only one.
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
