//! One reconcile: six steps in a row, each a folder or function of that name, and the state that all
//! reconciles share.
//!
//! validate (pure) → observe (reads) → judge (pure) → desired (pure) → apply (writes) → status (pure, then
//! one patch)

pub mod validate;

pub mod observe;

pub mod judge;

pub mod desired;

pub mod apply;

pub mod status;

mod error;
pub mod events;
mod memory;
pub mod publisher;
mod report;
pub(crate) mod schedule;

use std::sync::Arc;

use chatcluster_api::{ChatCluster, ChatClusterStatus, PublishMode};
use futures::future::{self, BoxFuture, FutureExt};
use k8s_openapi::jiff::Timestamp;
use kube::runtime::reflector::Store;
use kube::{Client, Resource, ResourceExt};

use crate::key::{Key, key};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::store::cluster_record::ClusterRecord;
use crate::store::clusters::find_cluster;
use crate::store::watches::Caches;

use apply::{Applier, ApplyError, ApplyResults, ServerDefaults};
use desired::{Children, children};
use judge::{Growth, Verdicts, growth, judge};
use memory::Memories;
use observe::{Observed, RedisProbe, UserSecrets, observe};
use publisher::Publisher;
use report::Reporter;
use schedule::{Ended, WaitsFor};
use status::{Failure, Unapplied, status};
use validate::{Auth, AuthError, Cluster, Defaults, auth_of, hub_keys, resolve_auth};

pub use error::ReconcileError;

/// The client, the caches and the memories that all reconciles share.
pub struct Context {
    defaults: Defaults,
    client: Client,
    clusters: Store<ClusterRecord>,
    caches: Arc<Caches>,
    queue: Arc<Queue>,
    user_secrets: UserSecrets,
    redis: RedisProbe,
    server_defaults: ServerDefaults,
    memories: Memories,
    reporter: Reporter,
}

impl Context {
    /// Creates the context of this process, which reports events by `publisher`.
    pub(crate) fn new(
        client: Client,
        defaults: Defaults,
        publisher: Arc<Publisher>,
        caches: Arc<Caches>,
        metrics: Arc<Metrics>,
        queue: Arc<Queue>,
        clusters: Store<ClusterRecord>,
    ) -> Self {
        Self {
            user_secrets: UserSecrets::new(client.clone(), queue.clone(), metrics.clone()),
            reporter: Reporter { client: client.clone(), publisher, metrics },
            redis: RedisProbe::default(),
            server_defaults: ServerDefaults::default(),
            memories: Memories::default(),
            queue,
            client,
            defaults,
            clusters,
            caches,
        }
    }

    /// Returns the cluster of that namespace and name, as the watch last delivered it.
    pub(crate) fn cluster(&self, cluster: &Key) -> Option<Arc<ClusterRecord>> {
        find_cluster(&self.clusters, cluster)
    }

    /// Returns the newest known version of `object`; `None` if it was deleted, even if another object has its
    /// name now.
    pub(crate) fn current<K: Resource<DynamicType = ()>>(&self, object: &K) -> Option<Arc<ClusterRecord>> {
        self.cluster(&key(object)).filter(|now| now.uid() == object.uid())
    }

    /// Brings one cluster closer to its spec.
    pub(crate) async fn reconcile(&self, object: &ChatCluster) -> Result<Ended, ReconcileError> {
        if object.meta().deletion_timestamp.is_some() {
            return Ok(Ended::Terminating);
        }
        let ended = match Box::pin(self.run_steps(object)).await {
            // The caches now know the object that the first run had missed: the steps run once more, at once.
            // If that run fails, too, the back-off applies.
            Err(ReconcileError::Apply(ApplyError::LabelRemoved { .. } | ApplyError::SecretChanged(_))) => {
                Box::pin(self.run_steps(object)).await
            }
            result => result,
        };
        match ended {
            // The watch is about to deliver the deletion.
            Err(ReconcileError::Apply(ApplyError::Orphaned)) => Ok(Ended::Terminating),
            ended => ended,
        }
    }

    /// Runs the six steps once.
    async fn run_steps(&self, object: &ChatCluster) -> Result<Ended, ReconcileError> {
        let cluster = Cluster::new(object, &self.defaults)?;
        let before = self.memories.latest_status(object);
        let (observed, _turn) =
            observe(&cluster, &self.caches, &self.user_secrets, &self.redis, &self.queue).await?;
        if self.is_superseded(object) {
            return Ok(Ended::Superseded);
        }
        let auth = resolve_auth(observed.auth.as_deref(), &observed.user_secret);
        let verdicts = judge(&cluster, &observed, auth.as_ref(), &before);
        let secrets_read = observed.own_secrets();
        let desired = self.desired(&cluster, &observed, auth, is_public(&cluster, &verdicts, &before));
        let results = self.apply(&cluster, &secrets_read, desired).await;
        self.reporter.report_writes(&self.memories, object, &before, &results).await;
        self.status(object, &cluster, &observed, &verdicts, results, &before).await
    }

    /// True if the watch has delivered a newer spec than that of `object`, or its deletion: the cluster may
    /// have been paused while Redis was asked.
    fn is_superseded(&self, object: &ChatCluster) -> bool {
        self.current(object).is_none_or(|now| now.meta().generation != object.metadata.generation)
    }

    /// Returns the desired children and the growth of the volume; `None` while there is no password to build
    /// them with.
    fn desired(
        &self,
        cluster: &Cluster,
        observed: &Observed,
        auth: Result<Auth, AuthError>,
        is_public: bool,
    ) -> Option<(Children, Growth)> {
        // A new password that cannot be used holds nothing up: the pods that run with the active one keep it.
        let auth = auth.ok().or_else(|| observed.auth.as_deref().and_then(auth_of))?;
        let keys = hub_keys::resolve(cluster, observed.hub_token.as_deref(), &observed.hub_secret);
        let growth = growth(cluster, observed.claim.as_deref(), observed.storage_class.as_deref());
        let sized = cluster.with_volume_of(growth.kept_size());
        Some((children(&sized, &auth, &keys, &self.defaults, is_public), growth))
    }

    /// Writes the children or, where the cluster is held, lists the changes that it would make.
    /// `secrets_read` has the meaning of [`Applier::secrets_read`].
    fn apply<'a>(
        &'a self,
        cluster: &'a Cluster,
        secrets_read: &'a [(String, Option<String>)],
        desired: Option<(Children, Growth)>,
    ) -> BoxFuture<'a, ApplyResults> {
        let Some((children, growth)) = desired else { return future::ready(ApplyResults::default()).boxed() };
        let applier = Applier {
            client: &self.client,
            caches: &self.caches,
            server_defaults: &self.server_defaults,
            cluster,
            secrets_read,
        };
        if cluster.held.is_some() {
            let pending = applier.plan(children, &growth);
            return future::ready(ApplyResults { pending, ..ApplyResults::default() }).boxed();
        }
        applier.apply(children, growth).map(ApplyResults::of).boxed()
    }

    /// Writes the status, if it is due. It is not due after writes that the watches are about to deliver,
    /// because the reconcile that follows these changes it once more.
    async fn status(
        &self,
        object: &ChatCluster,
        cluster: &Cluster,
        observed: &Observed,
        verdicts: &Verdicts,
        mut results: ApplyResults,
        before: &ChatClusterStatus,
    ) -> Result<Ended, ReconcileError> {
        if let Some(error) = results.transient.pop() {
            return Err(ReconcileError::Apply(error));
        }
        if results.awaits_watches() {
            return Ok(Ended::Wrote);
        }
        let in_words = |error: &ApplyError| Failure { reason: error.reason(), message: error.to_string() };
        let failures: Vec<Failure> = results.failures.iter().map(in_words).collect();
        let unapplied = Unapplied { failures: &failures, pending: results.pending };
        let after = status(
            cluster,
            object.metadata.generation,
            observed,
            verdicts,
            unapplied,
            before,
            Timestamp::now(),
        );
        let waits_for = WaitsFor::of(
            &observed.redis,
            &observed.unsubscribed_hubs,
            cluster.spec.hub.verify,
            !failures.is_empty(),
        );
        let pause = self.memories.status_pause(object, before, &after, self.queue.is_long());
        if !pause.is_zero() {
            return Ok(Ended::Paced { pause, waits_for });
        }
        self.reporter.write_status(&self.memories, object, before, &after).await?;
        Ok(Ended::Complete(waits_for))
    }

    /// True if exactly this version of the object is the result of the operator's own write of its status.
    pub(crate) fn is_own_write(&self, object: &impl Resource) -> bool {
        self.memories.is_own_write(object)
    }

    /// Counts a failed reconcile of the object. Returns the number of failures in a row.
    pub(crate) fn record_failure(&self, object: &impl Resource) -> u32 {
        self.memories.record_failure(object)
    }

    /// True if the last reconcile of the object failed.
    pub(crate) fn is_failing(&self, object: &impl Resource) -> bool {
        self.memories.is_failing(object)
    }

    /// Resets the number of failures after a successful reconcile of the object.
    pub(crate) fn record_success(&self, object: &impl Resource) {
        self.memories.record_success(object);
    }

    /// Drops all that is remembered of a deleted object.
    pub(crate) fn forget(&self, object: &impl Resource) {
        let uid = object.uid().unwrap_or_default();
        self.memories.forget(&uid);
        self.redis.forget(&uid);
        self.server_defaults.forget(&uid);
        self.user_secrets.release(&object.namespace().unwrap_or_default(), &object.name_any(), &[]);
    }
}

/// True if the cluster may have its public Service: once it has been verified, or at once where the spec says
/// so. A passing failure does not take the Service away again.
fn is_public(cluster: &Cluster, verdicts: &Verdicts, before: &ChatClusterStatus) -> bool {
    cluster.spec.service.publish == PublishMode::Immediately
        || verdicts.verified.holds
        || before.is_published()
}
