//! The fifth step, which writes: server-side apply of each child, and only where it is needed.
//!
//! A child is written if it is missing, if its desired state differs from the one last applied (a fingerprint
//! kept as an annotation), or if a field of ours no longer has our value. An object of a child's name that is
//! not ours is never touched. `decide` (pure) decides on the action, and `write` sends the requests;
//! [`Applier::plan`] only lists the changes.

mod decide;
mod error;
mod outcome;
mod plan;
mod server_defaults;
mod stages;
mod write;

use std::future;

use futures::FutureExt;
use futures::future::{BoxFuture, join, join_all};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ObjectReference, PersistentVolumeClaim, Secret};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::api::{DeleteParams, ListParams, Preconditions};
use kube::{Api, Client, Resource, ResourceExt};
use serde_json::Value;
use tracing::debug;

use crate::objects::compare::{Difference, differences};
use crate::reconcile::desired::{Children, WorkloadError};
use crate::reconcile::judge::Growth;
use crate::reconcile::validate::{Cluster, controller, owns};
use crate::store::cache::{Cache, StateHash};
use crate::store::undecoded::Undecoded;
use crate::store::watches::Caches;
use chatcluster_api::ChatCluster;
use chatcluster_api::names;

pub use error::ApplyError;
pub use outcome::{Applied, ApplyResults, Outcome};
pub use server_defaults::ServerDefaults;

use decide::{Child, Decision, DesiredChild, to_value};
use error::{name_taken, write_error};
use stages::{ChildAction, Stages, stages};

/// Writes the children of one cluster.
#[derive(Clone, Copy)]
pub struct Applier<'a> {
    /// The client for the writes.
    pub client: &'a Client,
    /// The caches of the children.
    pub caches: &'a Caches,
    /// The fields that the API server is known to store otherwise than the operator writes them.
    pub server_defaults: &'a ServerDefaults,
    /// The cluster to which the children belong.
    pub cluster: &'a Cluster,
    /// The names and resource versions of our Secrets whose content the desired children take over.
    pub secrets_read: &'a [(String, Option<String>)],
}

impl<'a> Applier<'a> {
    /// Brings every child to its desired state, in the order in which they depend on each other: a failure
    /// holds back the children that depend on it and no others.
    pub fn apply(
        self,
        children: Children,
        growth: Growth,
    ) -> impl Future<Output = Vec<Result<Applied, ApplyError>>> + use<'a> {
        // The children are moved out of the futures that follow, each of which would otherwise have room for
        // all of them, all the time.
        let stages = stages(children, self.caches, &self.cluster.name, &WriteChild(self));
        self.in_order(stages, growth)
    }

    async fn in_order(
        self,
        stages: Stages<BoxFuture<'_, Result<Applied, ApplyError>>>,
        growth: Growth,
    ) -> Vec<Result<Applied, ApplyError>> {
        let Stages { foundation, redis_service, redis, hubs, scaling, public } = stages;
        let founded = async {
            let mut results = join_all(foundation).await;
            // Pods mount the Secrets and the ConfigMap: if these were someone else's, Redis and the hubs
            // would run with them.
            let is_ours = results.iter().all(Result::is_ok);
            if is_ours {
                results.extend(self.grow(growth).await);
                results.push(redis.await);
            }
            (results, is_ours)
        };
        // Where many Services are requested, their addresses are allocated last, and Redis can start without
        // it.
        let (reached, (mut results, is_ours)) = join(redis_service, founded).await;
        // If that Service were someone else's, the hubs would send the password to its owner.
        let is_ours = is_ours && reached.is_ok();
        results.push(reached);
        if is_ours {
            results.push(hubs.await);
            results.push(scaling.await);
        }
        if let Some(public) = public {
            results.push(public.await);
        }
        results
    }

    /// Returns the mark of the desired object; `None` if the child is already known to match it.
    fn unsatisfied<K: Child>(&self, cache: &Cache<K>, desired: &K) -> Option<StateHash> {
        let mark = StateHash::of(desired);
        (!cache.satisfies(&self.cluster.namespace, &desired.name_any(), mark)).then_some(mark)
    }

    /// Brings a child to its desired state that is not known to match it already.
    async fn ensure<K: Child>(
        &self,
        cache: &Cache<K>,
        desired: DesiredChild<K>,
    ) -> Result<Applied, ApplyError> {
        let api: Api<Undecoded<K>> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        let actual = cache.get(&self.cluster.namespace, &desired.name);
        let read = self
            .secrets_read
            .iter()
            .find(|(name, _)| K::kind(&()) == Secret::kind(&()) && *name == desired.name);
        if read.is_some_and(|(_, version)| *version != actual.as_ref().and_then(|a| a.resource_version())) {
            return Err(ApplyError::SecretChanged(desired.name));
        }
        let decision = self.decide(&desired, actual.as_deref());
        if decision != Decision::Nothing {
            debug!(kind = %K::kind(&()), name = desired.name, ?decision, "a child is not as it should be");
        }
        let Some(actual) = actual else {
            return self.create(&api, cache, &desired).await;
        };
        if decision.writes() && controller(&*actual).is_none() {
            Box::pin(self.may_adopt::<K>(&desired.name)).await?;
        }
        match decision {
            Decision::Nothing => {
                cache.found(&*actual, desired.mark);
                Ok(applied(&*actual, Outcome::Unchanged))
            }
            Decision::Create => self.create(&api, cache, &desired).await,
            Decision::Foreign => Err(name_taken(self.cluster, &*actual)),
            Decision::Terminating => Ok(applied(&*actual, Outcome::Terminating)),
            Decision::Update(_) => self.write(&api, cache, &desired, &actual, Outcome::Updated).await,
            Decision::Repair(found) => {
                let first = first_difference(&found);
                let done = self.write(&api, cache, &desired, &actual, Outcome::Repaired(first)).await?;
                // A field that the API server again stored otherwise was not changed by anyone.
                let repaired = found.iter().any(|d| self.keeps(done.child.uid.as_deref(), d));
                Ok(if repaired { done } else { Applied { outcome: Outcome::Unchanged, ..done } })
            }
            Decision::Recreate(found) => {
                let only_this = DeleteParams::orphan().preconditions(same_object(&*actual));
                delete(&api, &desired.name, &only_this).await?;
                Ok(applied(&*actual, Outcome::Recreating(first_difference(&found))))
            }
        }
    }

    /// Fails with [`ApplyError::Orphaned`] if a child that has lost its owner must not get it back.
    /// Kubernetes removes the owner from the children that a `ChatCluster` leaves behind (`kubectl delete
    /// --cascade=orphan`), and deletes a child whose owner is gone. The watch may deliver the deletion of the
    /// `ChatCluster` later than that, so the API server is asked: by a list, for which the operator has the
    /// permission.
    async fn may_adopt<K: Child>(&self, child: &str) -> Result<(), ApplyError> {
        let Cluster { namespace, name, uid, .. } = self.cluster;
        let api: Api<ChatCluster> = Api::namespaced(self.client.clone(), namespace);
        let this = ListParams::default().fields(&format!("metadata.name={name}"));
        let found = api.list_metadata(&this).await.map_err(|error| write_error::<K>(child, error))?;
        let stays =
            |found: &ObjectMeta| found.uid.as_ref() == Some(uid) && found.deletion_timestamp.is_none();
        if found.items.iter().any(|found| stays(&found.metadata)) {
            Ok(())
        } else {
            Err(ApplyError::Orphaned)
        }
    }

    fn decide<K: Child>(&self, desired: &DesiredChild<K>, actual: Option<&K>) -> Decision {
        let uid = actual.and_then(ResourceExt::uid);
        desired.decide(self.cluster, actual, |difference| self.keeps(uid.as_deref(), difference))
    }

    fn keeps(&self, child: Option<&str>, difference: &Difference) -> bool {
        self.server_defaults.keeps(&self.cluster.uid, child, difference)
    }

    async fn write<K: Child>(
        &self,
        api: &Api<Undecoded<K>>,
        cache: &Cache<K>,
        desired: &DesiredChild<K>,
        actual: &K,
        outcome: Outcome,
    ) -> Result<Applied, ApplyError> {
        if outcome == Outcome::Updated {
            self.leave_replicas::<K>(|| to_value(actual)).await?;
        }
        let written = write::overwrite(api, &desired.name, desired.value.clone(), actual.uid()).await;
        let written = written.map_err(|error| write_error::<K>(&desired.name, error))?;
        self.learn(cache, desired, &written);
        Ok(applied(&written, outcome))
    }

    /// Creates a child that the watch does not show.
    async fn create<K: Child>(
        &self,
        api: &Api<Undecoded<K>>,
        cache: &Cache<K>,
        desired: &DesiredChild<K>,
    ) -> Result<Applied, ApplyError> {
        let name = &desired.name;
        match write::create(api, name, &desired.value).await {
            Ok(created) => {
                self.learn(cache, desired, &created);
                self.leave_replicas::<K>(|| created.value()).await?;
                return Ok(applied(&created, Outcome::Created));
            }
            Err(error) if write::is_conflict(&error) => {}
            Err(error) => return Err(write_error::<K>(name, error)),
        }
        // The object exists, but without our label: it is someone else's, or it is ours and someone removed
        // the label.
        let failed = |error| write_error::<K>(name, error);
        let Some(found) = api.get_opt(name).await.map_err(failed)? else {
            return Ok(applied(&desired.object, Outcome::Terminating));
        };
        let actual = found.object().map_err(|error| failed(kube::Error::SerdeError(error)))?;
        if !owns(self.cluster, &actual) {
            return Err(name_taken(self.cluster, &actual));
        }
        cache.remember(&found);
        Err(ApplyError::LabelRemoved { kind: K::kind(&()).into_owned(), name: name.clone() })
    }

    /// Where an autoscaler owns the number of replicas: keeps the present number, or the autoscaler's minimum
    /// if that is more. Server-side apply would otherwise remove the number that the operator once applied,
    /// which leaves one replica.
    async fn leave_replicas<K: Child>(&self, actual: impl FnOnce() -> Value) -> Result<(), ApplyError> {
        let Some(autoscaling) = &self.cluster.spec.hub.autoscaling else { return Ok(()) };
        if K::kind(&()) != Deployment::kind(&()) {
            return Ok(());
        }
        let now = actual()["spec"]["replicas"].as_i64().unwrap_or(1);
        let replicas = now.max(i64::from(autoscaling.min_replicas));
        let name = names::hub(&self.cluster.name);
        let api: Api<Undecoded<Deployment>> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        match write::hand_over_replicas(&api, &name, replicas).await {
            Ok(left) => {
                self.caches.deployments.remember(&left);
                Ok(())
            }
            // The number has another owner already, the autoscaler: then it stays without the operator's
            // doing.
            Err(error) if write::is_conflict(&error) => Ok(()),
            Err(error) => Err(write_error::<Deployment>(&name, error)),
        }
    }

    /// Takes the answer to a write as a match of the desired state, and learns which fields the API server
    /// stores otherwise than written.
    fn learn<K: Child>(&self, cache: &Cache<K>, desired: &DesiredChild<K>, written: &Undecoded<K>) {
        let changed = differences(&desired.value, &written.value());
        self.server_defaults.learn(&self.cluster.uid, &written.uid().unwrap_or_default(), changed);
        cache.remember(written);
        cache.found(written, desired.mark);
    }

    async fn remove<K: Child>(&self, cache: &Cache<K>, name: &str) -> Result<Applied, ApplyError> {
        let gone = |outcome| Applied { child: reference::<K>(&self.cluster.namespace, name), outcome };
        let Some(actual) = self.own_child(cache, name) else { return Ok(gone(Outcome::Absent)) };
        let api: Api<Undecoded<K>> = Api::namespaced(self.client.clone(), &self.cluster.namespace);
        delete(&api, name, &DeleteParams::default().preconditions(same_object(&*actual))).await?;
        cache.forget(&*actual);
        Ok(gone(Outcome::Removed))
    }

    /// Returns the child of that name, if it exists and is ours.
    fn own_child<K: Child>(&self, cache: &Cache<K>, name: &str) -> Option<std::sync::Arc<K>> {
        cache.get(&self.cluster.namespace, name).filter(|actual| owns(self.cluster, &**actual))
    }

    async fn grow(&self, growth: Growth) -> Option<Result<Applied, ApplyError>> {
        let (claim, uid, from, to) = match growth {
            Growth::None | Growth::Unbound { .. } => return None,
            Growth::NotExpandable { claim, from, to, class } => {
                return Some(Err(ApplyError::VolumeNotExpandable { claim, from, to, class }));
            }
            Growth::Expand { claim, uid, from, to } => (claim, uid, from, to),
        };
        let api: Api<Undecoded<PersistentVolumeClaim>> =
            Api::namespaced(self.client.clone(), &self.cluster.namespace);
        Some(match write::expand(&api, &claim, &uid, &to).await {
            Ok(grown) => {
                let done = applied(&grown, Outcome::Grown { from, to });
                self.caches.claims.remember(&grown);
                Ok(done)
            }
            Err(error) => Err(write_error::<PersistentVolumeClaim>(&claim, error)),
        })
    }
}

/// Writes each child, when its future is awaited.
#[derive(Clone, Copy)]
struct WriteChild<'a>(Applier<'a>);

impl<'a> ChildAction<'a> for WriteChild<'a> {
    type Output = BoxFuture<'a, Result<Applied, ApplyError>>;

    fn ensure<K: Child>(&self, cache: &'a Cache<K>, desired: K) -> Self::Output {
        let Self(applier) = *self;
        let Some(mark) = applier.unsatisfied(cache, &desired) else {
            // This is the usual case, and it does without the memory that the future of a write takes.
            return future::ready(Ok(applied(&desired, Outcome::Unchanged))).boxed();
        };
        async move { applier.ensure(cache, DesiredChild::new(desired, mark)).await }.boxed()
    }

    fn remove<K: Child>(&self, cache: &'a Cache<K>, name: &str) -> Self::Output {
        let (Self(applier), name) = (*self, name.to_owned());
        async move { applier.remove(cache, &name).await }.boxed()
    }

    fn refuse(&self, error: WorkloadError) -> Self::Output {
        future::ready(Err(error.into())).boxed()
    }
}

/// Returns the first difference of a [`Decision`], which has at least one.
fn first_difference(found: &[Difference]) -> Difference {
    found.first().cloned().unwrap_or(Difference { path: String::new() })
}

/// Returns preconditions that only this very object meets, not another that has taken its name meanwhile.
fn same_object<K: Resource>(object: &K) -> Preconditions {
    Preconditions { uid: object.uid(), resource_version: None }
}

async fn delete<K: Child>(api: &Api<Undecoded<K>>, name: &str, how: &DeleteParams) -> Result<(), ApplyError> {
    match api.delete(name, how).await {
        Ok(_) => Ok(()),
        Err(error) if write::is_not_found(&error) => Ok(()),
        Err(error) => Err(write_error::<K>(name, error)),
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

#[cfg(test)]
mod tests;
