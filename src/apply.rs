//! Writes: server-side apply of each child, and only where it is needed.
//!
//! A child is written if it is missing, if its desired state is another than the one last applied (a fingerprint kept as
//! an annotation), or if a field of ours no longer has our value. An object of a child's name that is not ours is never
//! touched.

use std::fmt::Debug;

use futures::{FutureExt, future::join_all};
use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{DeleteParams, Patch, PatchParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use sha2::{Digest, Sha256};
use thiserror::Error;

use crate::cache::Cache;
use crate::compare::{Difference, difference};
use crate::desired::Children;
use crate::names::{self, APPLIED, OPERATOR};
use crate::password::hex;
use crate::validate::Cluster;
use crate::watches::Caches;

/// What became of one child.
#[derive(Clone, Debug)]
pub struct Applied {
    /// The child.
    pub child: ObjectReference,
    /// What was done.
    pub outcome: Outcome,
}

/// What was done to a child.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// Nothing: it is as it should be. No request was made.
    Unchanged,
    /// It was missing.
    Created,
    /// The spec, or this version of the operator, wants something else than before.
    Updated,
    /// Someone had changed a field of ours.
    Repaired(Difference),
    /// It should no longer be there.
    Removed,
    /// It is being deleted; it is made anew when it is gone.
    Leaving,
}

/// Why a child could not be written.
#[derive(Debug, Error)]
pub enum ApplyError {
    /// An object of that name belongs to someone else. Waits for the person.
    #[error(
        "{kind} {name} exists and {owner}: it is left alone; delete or rename it, or give the ChatCluster another name"
    )]
    NameTaken {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// Whose it is.
        owner: String,
    },
    /// The API server refuses the object as it is. Waits for the spec, a quota or a permission to change.
    #[error("the API server refuses {kind} {name}: {message}")]
    Refused {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// What it says.
        message: String,
    },
    /// The object is ours and the watch did not show it: someone took our label away. What was to be written did not
    /// reckon with it, so the reconcile starts over, and now knows it.
    #[error("{kind} {name} is there, without the label by which it is watched")]
    Overlooked {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
    },
    /// The request failed, and will be made again.
    #[error("writing {kind} {name} failed: {source}")]
    Transient {
        /// The object's kind.
        kind: String,
        /// The object's name.
        name: String,
        /// How.
        #[source]
        source: Box<kube::Error>,
    },
}

/// A kind of child: what can be applied in a namespace, and read again.
trait Child:
    Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + Serialize + DeserializeOwned
{
}

impl<K> Child for K where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + Debug
        + Serialize
        + DeserializeOwned
{
}

/// Writes children of one cluster.
#[derive(Clone, Copy)]
pub struct Applier<'a> {
    /// With which to write.
    pub client: &'a Client,
    /// What is known of the children.
    pub caches: &'a Caches,
    /// Whose children they are.
    pub cluster: &'a Cluster,
}

impl Applier<'_> {
    /// Brings every child to its desired state, in the order in which they depend on each other: a failure holds back
    /// what depends on it and nothing else.
    pub async fn apply(&self, children: Children) -> Vec<Result<Applied, ApplyError>> {
        let Children {
            auth,
            redis_config,
            redis_nodes,
            redis_service,
            redis_policy,
            hub_policy,
            redis_set,
            hub_deployment,
            public_service,
        } = children;
        let caches = self.caches;
        let policies = &caches.policies;
        let mut results = join_all([
            self.ensure(&caches.secrets, auth).boxed(),
            self.ensure(&caches.config_maps, redis_config).boxed(),
            self.ensure(&caches.services, redis_nodes).boxed(),
            self.ensure(&caches.services, redis_service).boxed(),
            self.ensure_or_remove(policies, redis_policy, names::redis(&self.cluster.name)).boxed(),
            self.ensure_or_remove(policies, hub_policy, names::hub(&self.cluster.name)).boxed(),
        ])
        .await;
        // Pods mount the Secret and the ConfigMap: were those someone else's, Redis would run with them.
        if results.iter().all(Result::is_ok) {
            results.extend(
                join_all([
                    self.ensure(&caches.stateful_sets, redis_set).boxed(),
                    self.ensure(&caches.deployments, hub_deployment).boxed(),
                ])
                .await,
            );
        }
        if let Some(service) = public_service {
            results.push(self.ensure(&caches.services, service).await);
        }
        results
    }

    async fn ensure_or_remove<K: Child>(
        &self,
        cache: &Cache<K>,
        desired: Option<K>,
        name: String,
    ) -> Result<Applied, ApplyError> {
        match desired {
            Some(desired) => self.ensure(cache, desired).await,
            None => self.remove(cache, &name).await,
        }
    }

    async fn ensure<K: Child>(&self, cache: &Cache<K>, mut desired: K) -> Result<Applied, ApplyError> {
        let fingerprint = fingerprint(&desired);
        desired.annotations_mut().insert(APPLIED.to_owned(), fingerprint.clone());
        let name = desired.name_any();
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        let Some(actual) = cache.get(&self.cluster.namespace, &name) else {
            return self.make(&api, cache, &desired).await;
        };
        if !self.owns(&*actual) {
            return Err(self.taken(&*actual));
        }
        if actual.meta().deletion_timestamp.is_some() {
            return Ok(applied(&*actual, Outcome::Leaving));
        }
        let wanted = to_value(&desired);
        let outcome = if actual.annotations().get(APPLIED) == Some(&fingerprint) {
            match difference(&wanted, &to_value(&*actual)) {
                None => return Ok(applied(&*actual, Outcome::Unchanged)),
                Some(difference) => Outcome::Repaired(difference),
            }
        } else {
            Outcome::Updated
        };
        let written = overwrite(&api, &name, wanted, actual.uid()).await;
        let written = written.map_err(|error| failure::<K>(&name, error))?;
        cache.remember(written.clone());
        Ok(applied(&written, outcome))
    }

    /// Makes a child that the watch does not show.
    async fn make<K: Child>(
        &self,
        api: &Api<K>,
        cache: &Cache<K>,
        desired: &K,
    ) -> Result<Applied, ApplyError> {
        let name = desired.name_any();
        match create(api, &name, desired).await {
            Ok(created) => {
                cache.remember(created.clone());
                return Ok(applied(&created, Outcome::Created));
            }
            Err(error) if is_conflict(&error) => {}
            Err(error) => return Err(failure::<K>(&name, error)),
        }
        // It is there, but without our label: someone else's, or ours and tampered with.
        match api.get_opt(&name).await.map_err(|error| failure::<K>(&name, error))? {
            Some(actual) if self.owns(&actual) => {
                cache.remember(actual);
                Err(ApplyError::Overlooked { kind: K::kind(&()).into_owned(), name })
            }
            Some(actual) => Err(self.taken(&actual)),
            None => Ok(applied(desired, Outcome::Leaving)),
        }
    }

    async fn remove<K: Child>(&self, cache: &Cache<K>, name: &str) -> Result<Applied, ApplyError> {
        let gone = |outcome| Applied { child: reference::<K>(&self.cluster.namespace, name), outcome };
        let Some(actual) = cache.get(&self.cluster.namespace, name).filter(|actual| self.owns(&**actual))
        else {
            return Ok(gone(Outcome::Unchanged));
        };
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        let only_this = Preconditions { uid: actual.uid(), resource_version: None };
        match api.delete(name, &DeleteParams::default().preconditions(only_this)).await {
            Ok(_) => {}
            Err(error) if is_not_found(&error) => {}
            Err(error) => return Err(failure::<K>(name, error)),
        }
        cache.forget(&actual);
        Ok(gone(Outcome::Removed))
    }

    fn owns<K: Resource>(&self, object: &K) -> bool {
        is_controlled_by(object, &self.cluster.uid)
    }

    fn taken<K: Resource<DynamicType = ()>>(&self, object: &K) -> ApplyError {
        let owner = match object.owner_references().iter().find(|o| o.controller == Some(true)) {
            Some(owner) if owner.kind == "ChatCluster" && owner.name == self.cluster.name => {
                "belongs to a former ChatCluster of this name that is still being deleted".to_owned()
            }
            Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
            None => "does not belong to this ChatCluster".to_owned(),
        };
        ApplyError::NameTaken { kind: K::kind(&()).into_owned(), name: object.name_any(), owner }
    }
}

/// Whether the object with that uid is the controller of `object`.
pub fn is_controlled_by<K: Resource>(object: &K, uid: &str) -> bool {
    object.owner_references().iter().any(|owner| owner.controller == Some(true) && owner.uid == uid)
}

/// Makes an object that must not exist yet. An apply that names a resource version makes a missing object all the same,
/// and conflicts with one that exists, whose version is never 1: one request that cannot seize what is not ours.
async fn create<K: Child>(api: &Api<K>, name: &str, desired: &K) -> Result<K, kube::Error> {
    let mut value = to_value(desired);
    value["metadata"]["resourceVersion"] = "1".into();
    api.patch(name, &PatchParams::apply(OPERATOR), &Patch::Apply(value)).await
}

/// Applies to this very object: not to another that has taken its name meanwhile.
///
/// Where someone has renamed an element of a keyed list (a Service's port), applying would put ours beside theirs, which the
/// API server refuses. Then our lists replace theirs as a whole.
async fn overwrite<K: Child>(
    api: &Api<K>,
    name: &str,
    mut value: Value,
    uid: Option<String>,
) -> Result<K, kube::Error> {
    value["metadata"]["uid"] = uid.into();
    match api.patch(name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(&value)).await {
        Err(kube::Error::Api(status)) if status.code == 422 => {
            let by = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
            api.patch(name, &by, &Patch::Merge(&value)).await
        }
        result => result,
    }
}

/// A number that changes with the desired state.
fn fingerprint<K: Serialize>(desired: &K) -> String {
    // Of a Secret too: only those who may read it read its annotations.
    hex(&Sha256::digest(to_value(desired).to_string())[..8])
}

fn to_value<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).expect("Kubernetes objects have string keys only")
}

fn applied<K: Resource<DynamicType = ()>>(object: &K, outcome: Outcome) -> Applied {
    Applied { child: object.object_ref(&()), outcome }
}

fn reference<K: Resource<DynamicType = ()>>(namespace: &str, name: &str) -> ObjectReference {
    ObjectReference {
        api_version: Some(K::api_version(&()).into_owned()),
        kind: Some(K::kind(&()).into_owned()),
        namespace: Some(namespace.to_owned()),
        name: Some(name.to_owned()),
        ..ObjectReference::default()
    }
}

fn failure<K: Resource<DynamicType = ()>>(name: &str, error: kube::Error) -> ApplyError {
    let (kind, name) = (K::kind(&()).into_owned(), name.to_owned());
    match error {
        kube::Error::Api(status) if matches!(status.code, 400 | 403 | 422) => {
            ApplyError::Refused { kind, name, message: status.message.clone() }
        }
        source => ApplyError::Transient { kind, name, source: Box::new(source) },
    }
}

fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
