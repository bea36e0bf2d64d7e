//! What a watch has seen of one kind, kept for reconciles to read, and what our own writes returned, so that a reconcile
//! reads its own writes before the watch has delivered them.
//!
//! Versions are compared as numbers, which Kubernetes guarantees for objects of one kind
//! (KEP-5504, <https://kep.k8s.io/5504>): an event that is older than what we wrote changes nothing.
//!
//! Objects are kept as packed JSON, as the API server gave it: decoded, most of an object is room for fields that it does not
//! have, and for each map that has an entry or two a node for eleven.

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
use crate::store::packed::{Packed, Packer};
use crate::store::raw::Raw;
use crate::store::scope::{Part, Scope};
use chatcluster_api::names::INSTANCE;

/// The objects of one kind.
#[derive(Debug)]
pub struct Cache<K> {
    inner: RwLock<Inner>,
    packer: Packer,
    kind: PhantomData<fn() -> K>,
}

#[derive(Debug)]
struct Inner {
    objects: BTreeMap<Path, Stored>,
    /// For each part of the scope whose watch is listing: the objects listed so far, and those we wrote meanwhile.
    listed: BTreeMap<Part, BTreeSet<Path>>,
    /// The parts whose first list is not complete.
    unlisted: BTreeSet<Part>,
    /// What went lately, and at which version: the answer to a write may come after the event that undid it.
    gone: HashMap<Path, u64>,
    going: VecDeque<(Instant, Path)>,
}

/// Namespace and name, with a slash between them, which neither can have: there are many, and each takes room.
type Path = Box<str>;

/// What an event means for others.
#[derive(Debug, PartialEq, Eq)]
pub struct Concerned {
    /// Namespaces and names of clusters; one may be there twice.
    pub clusters: Vec<Key>,
    /// How soon they are to be looked at.
    pub urgency: Urgency,
}

/// An object.
#[derive(Debug)]
struct Stored {
    version: u64,
    /// Changes with the spec. 0, if objects of its kind have none.
    generation: u32,
    /// The `ChatCluster` that the instance label names.
    cluster: Option<Box<str>>,
    json: Packed,
    /// What it has been found to be as it should be.
    satisfies: Option<Mark>,
}

/// Stands for one desired state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mark([u8; 16]);

impl Mark {
    /// Of an object that is desired.
    ///
    /// # Panics
    /// If it has maps whose keys are no strings, which nothing of Kubernetes has.
    pub fn of<K: Serialize>(desired: &K) -> Self {
        let json = serde_json::to_vec(desired).expect("Kubernetes objects have string keys only");
        let digest = Sha256::digest(json);
        let mut mark = [0; 16];
        mark.copy_from_slice(&digest[..16]);
        Self(mark)
    }
}

/// How long an answer may be behind the events: no request takes longer.
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
            gone: HashMap::new(),
            going: VecDeque::new(),
        };
        Self { inner: RwLock::new(inner), packer: Packer::default(), kind: PhantomData }
    }
}

impl<K: Resource<DynamicType = ()> + DeserializeOwned> Cache<K> {
    /// The object, if it exists.
    pub fn get(&self, namespace: &str, name: &str) -> Option<Arc<K>> {
        let json = self.read().objects.get(&path(namespace, name)).map(|stored| stored.json.clone());
        json.map(|json| Arc::new(json.object()))
    }

    /// All objects whose instance label names the cluster, and whose names begin with the cluster's and a hyphen, as those
    /// of all pods do; in the order of their names.
    pub fn of_cluster(&self, namespace: &str, cluster: &str) -> Vec<Arc<K>> {
        let first = path(namespace, &format!("{cluster}-"));
        let of_it: Vec<Packed> = self
            .read()
            .objects
            .range(first.clone()..)
            .take_while(|(path, _)| path.starts_with(&*first))
            .filter(|(_, stored)| stored.cluster.as_deref() == Some(cluster))
            .map(|(_, stored)| stored.json.clone())
            .collect();
        of_it.iter().map(|json| Arc::new(json.object())).collect()
    }

    /// Whether the object, as it is known, has been found to be what `mark` stands for.
    pub fn satisfies(&self, namespace: &str, name: &str, mark: Mark) -> bool {
        self.read().objects.get(&path(namespace, name)).is_some_and(|stored| stored.satisfies == Some(mark))
    }

    /// Takes down that `object` is what `mark` stands for: until another version of it is known.
    pub fn found(&self, object: &impl Resource, mark: Mark) {
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

    /// Keeps what a write of ours returned, unless something newer is known.
    pub fn remember(&self, object: &Raw<K>) {
        let mut inner = self.write();
        inner.list(&path_of(object));
        inner.insert(object, &self.packer);
    }

    /// Forgets what a delete of ours removed.
    pub fn forget(&self, object: &impl Resource) {
        self.write().remove(&path_of(object));
    }

    /// Takes an event of the watch of that part of the scope.
    pub fn observe(&self, part: &Part, event: Event<Raw<K>>) -> Concerned {
        let mut inner = self.write();
        match event {
            Event::Init => {
                inner.listed.insert(part.clone(), BTreeSet::new());
                Concerned::nobody()
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
                Concerned { clusters, urgency: Urgency::Now }
            }
            Event::Apply(object) => inner.insert(&object, &self.packer),
            Event::Delete(object) => {
                let path = path_of(&object);
                let newer = inner.objects.get(&path).is_some_and(|known| known.version > version(&object));
                if newer {
                    return Concerned::nobody();
                }
                let mut clusters: Vec<Key> = cluster_of(&object).into_iter().collect();
                clusters.extend(inner.remove(&path));
                inner.bury(path, version(&object));
                Concerned { clusters, urgency: Urgency::Now }
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

impl Concerned {
    fn nobody() -> Self {
        Self { clusters: Vec::new(), urgency: Urgency::Later }
    }
}

impl Inner {
    /// Returns the clusters that the object belongs and belonged to; none if it is older than what is known.
    fn insert<K: Resource>(&mut self, object: &Raw<K>, packer: &Packer) -> Concerned {
        let (path, version) = (path_of(object), version(object));
        let known = self.objects.get(&path);
        // Of our own writes, the watch tells a second time.
        if known.is_some_and(|known| known.is(version)) {
            return Concerned { clusters: cluster_of(object).into_iter().collect(), urgency: Urgency::Later };
        }
        let generation =
            object.meta().generation.map_or(0, |generation| u32::try_from(generation).unwrap_or(u32::MAX));
        let urgency = match known {
            None => Urgency::Later,
            // Only the status is another.
            Some(known) if known.generation == generation && generation != 0 => Urgency::Soon,
            Some(_) => Urgency::Now,
        };
        let newest = known.map(|known| known.version);
        // At the very version at which it went it may still be there, without the label by which it is watched.
        let newest = newest.max(self.gone.get(&path).copied());
        if newest > Some(version) {
            return Concerned::nobody();
        }
        self.gone.remove(&path);
        let mut clusters = self.remove(&path);
        clusters.extend(cluster_of(object));
        let cluster = object.labels().get(INSTANCE).map(|name| name.as_str().into());
        let json = packer.pack(object.json().as_bytes());
        self.objects.insert(path, Stored { version, generation, cluster, json, satisfies: None });
        Concerned { clusters, urgency }
    }

    /// Notes for all lists under way that the object exists.
    fn list(&mut self, path: &Path) {
        for listed in self.listed.values_mut() {
            listed.insert(path.clone());
        }
    }

    fn bury(&mut self, path: Path, version: u64) {
        while let Some((_, old)) = self.going.pop_front_if(|(at, _)| at.elapsed() > BEHIND) {
            self.gone.remove(&old);
        }
        self.gone.insert(path.clone(), version);
        self.going.push_back((Instant::now(), path));
    }

    /// Returns the cluster that the object belonged to.
    fn remove(&mut self, path: &str) -> Vec<Key> {
        let cluster = self.objects.remove(path).and_then(|stored| stored.cluster);
        cluster.map(|cluster| (namespace_of(path).to_owned(), cluster.into())).into_iter().collect()
    }
}

impl Stored {
    /// Whether it is of that version, and that is one: see [`version`].
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

/// The resource version as a number. One that is no number counts as the newest: no order of ours is better than the server's.
fn version<K: Resource>(object: &K) -> u64 {
    object.resource_version().and_then(|v| v.parse().ok()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests;
