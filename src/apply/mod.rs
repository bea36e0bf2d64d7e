//! Writes: server-side apply of each child, and only where it is needed.
//!
//! A child is written if it is missing, if its desired state is another than the one last applied (a fingerprint kept as
//! an annotation), or if a field of ours no longer has our value. An object of a child's name that is not ours is never
//! touched. What is to be done is decided in `decide` (pure), and done in `write`; [`Applier::plan`] only says it.

mod decide;
mod kept;
mod write;

use futures::{FutureExt, future::join_all};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolumeClaim};
use kube::api::DeleteParams;
use kube::{Api, Client, Resource, ResourceExt};
use thiserror::Error;

use crate::api::{Pending, PendingAction, Restarts};
use crate::cache::Cache;
use crate::compare::{Difference, differences};
use crate::desired::Children;
use crate::names::{self, COMPONENT, Component};
use crate::overlay::OverlayError;
use crate::storage::Growth;
use crate::validate::Cluster;
use crate::watches::Caches;

pub use decide::owns;
pub use kept::Kept;

use decide::{Child, Decision, Wanted, to_value};

/// How many fields of one child `status.pending` names.
const FIELDS_NAMED: usize = 20;

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
    /// There should be none, and there is none. No request was made.
    Absent,
    /// It was missing.
    Created,
    /// The spec, or this version of the operator, wants something else than before.
    Updated,
    /// Someone had changed a field of ours.
    Repaired(Difference),
    /// It is being deleted without its pods, to be made anew around them: Kubernetes does not let that field change.
    Recreating(Difference),
    /// The claim now asks for more.
    Grown {
        /// What it asked for.
        from: String,
        /// What it asks for.
        to: String,
    },
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
    /// What the user lays over its pod template cannot be used. Waits for the spec to change.
    #[error(transparent)]
    PodTemplate(#[from] OverlayError),
    /// The volume cannot grow. Waits for the spec or the class to change.
    #[error(
        "the claim {claim} cannot grow from {from} to {to}: its storage class {class} does not allow it; have the class allow it (allowVolumeExpansion: true), if its driver can, or set redis.storage.size back to {from} in a new ChatCluster"
    )]
    VolumeNotExpandable {
        /// The claim's name.
        claim: String,
        /// What it asks for.
        from: String,
        /// What the spec says.
        to: String,
        /// The storage class.
        class: String,
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

/// Writes children of one cluster.
#[derive(Clone, Copy)]
pub struct Applier<'a> {
    /// With which to write.
    pub client: &'a Client,
    /// What is known of the children.
    pub caches: &'a Caches,
    /// What is known of how the API server keeps them.
    pub kept: &'a Kept,
    /// Whose children they are.
    pub cluster: &'a Cluster,
}

impl Applier<'_> {
    /// Brings every child to its desired state, in the order in which they depend on each other: a failure holds back
    /// what depends on it and nothing else.
    pub async fn apply(&self, children: Children, growth: Growth) -> Vec<Result<Applied, ApplyError>> {
        let Children {
            auth,
            redis_config,
            redis_nodes,
            redis_service,
            redis_policy,
            hub_policy,
            hub_budget,
            redis_set,
            hub_deployment,
            hub_autoscaler,
            public_service,
        } = children;
        let caches = self.caches;
        let (redis, hub) = (names::redis(&self.cluster.name), names::hub(&self.cluster.name));
        let mut results = join_all([
            self.ensure(&caches.secrets, auth).boxed(),
            self.ensure(&caches.config_maps, redis_config).boxed(),
            self.ensure(&caches.services, redis_nodes).boxed(),
            self.ensure(&caches.services, redis_service).boxed(),
            self.ensure_or_remove(&caches.policies, redis_policy, redis).boxed(),
            self.ensure_or_remove(&caches.policies, hub_policy, hub.clone()).boxed(),
            self.ensure(&caches.budgets, hub_budget).boxed(),
        ])
        .await;
        // Pods mount the Secret and the ConfigMap: were those someone else's, Redis would run with them.
        if results.iter().all(Result::is_ok) {
            results.extend(self.grow(growth).await);
            results.extend(
                join_all([
                    async { self.ensure(&caches.stateful_sets, redis_set?).await }.boxed(),
                    async { self.ensure(&caches.deployments, hub_deployment?).await }.boxed(),
                ])
                .await,
            );
            results.push(self.ensure_or_remove(&caches.autoscalers, hub_autoscaler, hub).await);
        }
        if let Some(service) = public_service {
            results.push(self.ensure(&caches.services, service).await);
        }
        results
    }

    /// What [`Applier::apply`] would do, child by child; nothing is done.
    pub fn plan(&self, children: Children, growth: &Growth) -> Vec<Pending> {
        let Children {
            auth,
            redis_config,
            redis_nodes,
            redis_service,
            redis_policy,
            hub_policy,
            hub_budget,
            redis_set,
            hub_deployment,
            hub_autoscaler,
            public_service,
        } = children;
        let caches = self.caches;
        let (redis, hub) = (names::redis(&self.cluster.name), names::hub(&self.cluster.name));
        let grows = match growth {
            Growth::Expand { claim, .. } => Some(Pending {
                child: format!("PersistentVolumeClaim/{claim}"),
                action: PendingAction::Update,
                fields: vec!["spec.resources.requests.storage".to_owned()],
                restarts: None,
            }),
            Growth::None | Growth::Waits { .. } | Growth::Impossible { .. } => None,
        };
        [
            self.would_ensure(&caches.secrets, auth),
            self.would_ensure(&caches.config_maps, redis_config),
            self.would_ensure(&caches.services, redis_nodes),
            self.would_ensure(&caches.services, redis_service),
            self.would_ensure_or_remove(&caches.policies, redis_policy, &redis),
            self.would_ensure_or_remove(&caches.policies, hub_policy, &hub),
            self.would_ensure(&caches.budgets, hub_budget),
            grows,
            redis_set.ok().and_then(|set| self.would_ensure(&caches.stateful_sets, set)),
            hub_deployment.ok().and_then(|hub| self.would_ensure(&caches.deployments, hub)),
            self.would_ensure_or_remove(&caches.autoscalers, hub_autoscaler, &hub),
            public_service.and_then(|service| self.would_ensure(&caches.services, service)),
        ]
        .into_iter()
        .flatten()
        .collect()
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

    async fn ensure<K: Child>(&self, cache: &Cache<K>, desired: K) -> Result<Applied, ApplyError> {
        let wanted = Wanted::new(desired);
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        let actual = cache.get(&self.cluster.namespace, &wanted.name);
        let decision = self.decide(&wanted, actual.as_deref());
        let Some(actual) = actual else { return self.make(&api, cache, &wanted).await };
        match decision {
            Decision::Nothing => Ok(applied(&*actual, Outcome::Unchanged)),
            Decision::Create => self.make(&api, cache, &wanted).await,
            Decision::Foreign => Err(taken(self.cluster, &*actual)),
            Decision::Leaving => Ok(applied(&*actual, Outcome::Leaving)),
            Decision::Update(_) => self.write(&api, cache, &wanted, &actual, Outcome::Updated).await,
            Decision::Repair(found) => {
                let first = first(&found);
                let done = self.write(&api, cache, &wanted, &actual, Outcome::Repaired(first)).await?;
                // What has not come back is nothing that someone changed.
                let repaired = found.iter().any(|d| self.keeps(done.child.uid.as_deref(), d));
                Ok(if repaired { done } else { Applied { outcome: Outcome::Unchanged, ..done } })
            }
            Decision::Recreate(found) => {
                let only_this = DeleteParams::orphan().preconditions(this(&*actual));
                delete(&api, &wanted.name, &only_this).await?;
                Ok(applied(&*actual, Outcome::Recreating(first(&found))))
            }
        }
    }

    fn decide<K: Child>(&self, wanted: &Wanted<K>, actual: Option<&K>) -> Decision {
        let uid = actual.and_then(ResourceExt::uid);
        wanted.decide(self.cluster, actual, |difference| self.keeps(uid.as_deref(), difference))
    }

    fn keeps(&self, child: Option<&str>, difference: &Difference) -> bool {
        self.kept.keeps(&self.cluster.uid, child, difference)
    }

    async fn write<K: Child>(
        &self,
        api: &Api<K>,
        cache: &Cache<K>,
        wanted: &Wanted<K>,
        actual: &K,
        outcome: Outcome,
    ) -> Result<Applied, ApplyError> {
        if outcome == Outcome::Updated {
            self.leave_replicas(&wanted.value, &to_value(actual)).await?;
        }
        let written = write::overwrite(api, &wanted.name, wanted.value.clone(), actual.uid()).await;
        let written = written.map_err(|error| failure::<K>(&wanted.name, error))?;
        self.learn(wanted, &written);
        cache.remember(written.clone());
        Ok(applied(&written, outcome))
    }

    /// Makes a child that the watch does not show.
    async fn make<K: Child>(
        &self,
        api: &Api<K>,
        cache: &Cache<K>,
        wanted: &Wanted<K>,
    ) -> Result<Applied, ApplyError> {
        let name = &wanted.name;
        match write::create(api, name, &wanted.value).await {
            Ok(created) => {
                self.learn(wanted, &created);
                cache.remember(created.clone());
                self.leave_replicas(&wanted.value, &to_value(&created)).await?;
                return Ok(applied(&created, Outcome::Created));
            }
            Err(error) if write::is_conflict(&error) => {}
            Err(error) => return Err(failure::<K>(name, error)),
        }
        // It is there, but without our label: someone else's, or ours and tampered with.
        match api.get_opt(name).await.map_err(|error| failure::<K>(name, error))? {
            Some(actual) if owns(self.cluster, &actual) => {
                cache.remember(actual);
                Err(ApplyError::Overlooked { kind: K::kind(&()).into_owned(), name: name.clone() })
            }
            Some(actual) => Err(taken(self.cluster, &actual)),
            None => Ok(applied(&wanted.object, Outcome::Leaving)),
        }
    }

    /// Where the number of replicas is the autoscaler's: has it stay as it is, or at the fewest for a start. Server-side
    /// apply would otherwise take back the number that we once applied, and leave one.
    async fn leave_replicas(
        &self,
        wanted: &serde_json::Value,
        actual: &serde_json::Value,
    ) -> Result<(), ApplyError> {
        let Some(autoscaling) = &self.cluster.spec.hub.autoscaling else { return Ok(()) };
        if wanted["kind"] != "Deployment" {
            return Ok(());
        }
        let now = actual["spec"]["replicas"].as_i64().unwrap_or(1);
        let replicas = now.max(i64::from(autoscaling.min_replicas));
        let name = names::hub(&self.cluster.name);
        let api: Api<Deployment> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        match write::hand_over_replicas(&api, &name, replicas).await {
            Ok(left) => {
                self.caches.deployments.remember(left);
                Ok(())
            }
            // It is someone's already, the autoscaler's: then it stays without our doing.
            Err(error) if write::is_conflict(&error) => Ok(()),
            Err(error) => Err(failure::<Deployment>(&name, error)),
        }
    }

    fn learn<K: Child>(&self, wanted: &Wanted<K>, written: &K) {
        let changed = differences(&wanted.value, &to_value(written));
        self.kept.learn(&self.cluster.uid, &written.uid().unwrap_or_default(), changed);
    }

    async fn remove<K: Child>(&self, cache: &Cache<K>, name: &str) -> Result<Applied, ApplyError> {
        let gone = |outcome| Applied { child: reference::<K>(&self.cluster.namespace, name), outcome };
        let Some(actual) = self.mine(cache, name) else { return Ok(gone(Outcome::Absent)) };
        let api: Api<K> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        delete(&api, name, &DeleteParams::default().preconditions(this(&*actual))).await?;
        cache.forget(&actual);
        Ok(gone(Outcome::Removed))
    }

    /// The child of that name, if it is there and ours.
    fn mine<K: Child>(&self, cache: &Cache<K>, name: &str) -> Option<std::sync::Arc<K>> {
        cache.get(&self.cluster.namespace, name).filter(|actual| owns(self.cluster, &**actual))
    }

    async fn grow(&self, growth: Growth) -> Option<Result<Applied, ApplyError>> {
        let (claim, uid, from, to) = match growth {
            Growth::None | Growth::Waits { .. } => return None,
            Growth::Impossible { claim, from, to, class } => {
                return Some(Err(ApplyError::VolumeNotExpandable { claim, from, to, class }));
            }
            Growth::Expand { claim, uid, from, to } => (claim, uid, from, to),
        };
        let api: Api<PersistentVolumeClaim> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        Some(match write::expand(&api, &claim, &uid, &to).await {
            Ok(grown) => {
                let done = applied(&grown, Outcome::Grown { from, to });
                self.caches.claims.remember(grown);
                Ok(done)
            }
            Err(error) => Err(failure::<PersistentVolumeClaim>(&claim, error)),
        })
    }

    fn would_ensure_or_remove<K: Child>(
        &self,
        cache: &Cache<K>,
        desired: Option<K>,
        name: &str,
    ) -> Option<Pending> {
        match desired {
            Some(desired) => self.would_ensure(cache, desired),
            None => self.mine(cache, name).map(|_| pending::<K>(name, PendingAction::Delete)),
        }
    }

    fn would_ensure<K: Child>(&self, cache: &Cache<K>, desired: K) -> Option<Pending> {
        let wanted = Wanted::new(desired);
        let actual = cache.get(&self.cluster.namespace, &wanted.name);
        let (action, found) = match self.decide(&wanted, actual.as_deref()) {
            Decision::Nothing | Decision::Foreign => return None,
            Decision::Create | Decision::Leaving => {
                return Some(pending::<K>(&wanted.name, PendingAction::Create));
            }
            Decision::Update(found) | Decision::Repair(found) => (PendingAction::Update, found),
            Decision::Recreate(found) => (PendingAction::Recreate, found),
        };
        let restarts = actual.is_some_and(|actual| wanted.changes_template(&actual, &found));
        let hub = wanted.object.labels().get(COMPONENT).map(String::as_str) == Some(Component::Hub.as_str());
        Some(Pending {
            fields: found.into_iter().take(FIELDS_NAMED).map(|difference| difference.path).collect(),
            restarts: restarts.then_some(if hub { Restarts::Hub } else { Restarts::Redis }),
            ..pending::<K>(&wanted.name, action)
        })
    }
}

fn pending<K: Child>(name: &str, action: PendingAction) -> Pending {
    Pending { child: format!("{}/{name}", K::kind(&())), action, fields: Vec::new(), restarts: None }
}

/// The first of what a [`Decision`] found, which is never nothing.
fn first(found: &[Difference]) -> Difference {
    found.first().cloned().unwrap_or(Difference { path: String::new() })
}

fn taken<K: Resource<DynamicType = ()>>(cluster: &Cluster, object: &K) -> ApplyError {
    let owner = match object.owner_references().iter().find(|o| o.controller == Some(true)) {
        Some(owner) if owner.kind == "ChatCluster" && owner.name == cluster.name => {
            "belongs to a former ChatCluster of this name that is still being deleted".to_owned()
        }
        Some(owner) => format!("belongs to {} {}", owner.kind, owner.name),
        None => "does not belong to this ChatCluster".to_owned(),
    };
    ApplyError::NameTaken { kind: K::kind(&()).into_owned(), name: object.name_any(), owner }
}

/// Only this very object, not another that has taken its name meanwhile.
fn this<K: Resource>(object: &K) -> kube::api::Preconditions {
    kube::api::Preconditions { uid: object.uid(), resource_version: None }
}

async fn delete<K: Child>(api: &Api<K>, name: &str, how: &DeleteParams) -> Result<(), ApplyError> {
    match api.delete(name, how).await {
        Ok(_) => Ok(()),
        Err(error) if write::is_not_found(&error) => Ok(()),
        Err(error) => Err(failure::<K>(name, error)),
    }
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
