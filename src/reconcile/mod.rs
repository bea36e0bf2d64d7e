//! One reconcile: the six steps in a row, and what is shared by all reconciles.

pub mod validate;

pub mod observe;

pub mod judge;

pub mod desired;

pub mod apply;

pub mod status;

pub mod events;
pub mod publisher;

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::ObjectReference;
use kube::api::{Patch, PatchParams};
use kube::runtime::reflector::Store;
use kube::{Api, Client, Resource, ResourceExt};
use thiserror::Error;
use tracing::{debug, info};

use crate::key::{Key, key};
use crate::metrics::Metrics;
use crate::queue::Queue;
use crate::store::Lean;
use crate::store::clusters::find_cluster;
use crate::store::known::Known;
use crate::store::watches::Caches;
use chatcluster_api::{ChatCluster, ChatClusterStatus, ConditionType, PublishMode, Reason};

use apply::{Applied, Applier, ApplyError, Kept, Outcome};
use desired::children;
use events::Former;
use judge::{growth, judge};
use observe::{Backplane, NoAnswer, Observed, Report, UserSecrets, observe};
use publisher::Publisher;
use status::{Done, Failure, Pace, status};
use validate::{Cluster, Defaults, Incomplete, auth_of, hub_keys, resolve_auth};

/// When to look again at what nobody tells us of: an object that is not ours, a quota.
const RETRY_BLOCKED: Duration = Duration::from_secs(5);
/// When to ask Redis again while a hub is not subscribed yet.
const RETRY_UNVERIFIED: Duration = Duration::from_secs(1);
/// When to look again at a cluster that is as it should be; from caches, without a request.
const LOOK_AGAIN: Duration = Duration::from_mins(5);

/// Why a reconcile ended early. All of these pass, and it is tried again with back-off.
#[derive(Debug, Error)]
pub enum ReconcileError {
    /// The object does not come from an API server.
    #[error(transparent)]
    Incomplete(#[from] Incomplete),
    /// The API server did not answer.
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
    /// A child could not be written.
    #[error(transparent)]
    Apply(ApplyError),
    /// A bug of ours.
    #[error("it panicked: {0}")]
    Panicked(String),
    /// The status could not be written.
    #[error("writing the status failed: {0}")]
    Status(#[source] kube::Error),
}

impl ReconcileError {
    /// In one of few words, by which errors are counted.
    pub fn reason(&self) -> &'static str {
        match self {
            Self::Incomplete(_) => "incomplete",
            Self::NoAnswer(_) => "no_answer",
            Self::Apply(_) => "write",
            Self::Status(_) => "status",
            Self::Panicked(_) => "panic",
        }
    }
}

/// What every reconcile shares.
pub struct Context {
    client: Client,
    defaults: Defaults,
    clusters: Store<Known>,
    caches: Arc<Caches>,
    user_secrets: UserSecrets,
    backplane: Backplane,
    kept: Kept,
    publisher: Arc<Publisher>,
    /// What is counted.
    pub metrics: Arc<Metrics>,
    memory: Mutex<HashMap<String, Memory>>,
    queue: Arc<Queue>,
}

/// What is remembered of a cluster between reconciles, by its uid. All of it can be lost.
#[derive(Debug)]
struct Memory {
    /// The status as we last wrote it, with the version it then had: the watch may not have delivered it yet.
    written: Option<(u64, ChatClusterStatus)>,
    /// How many reconciles failed in a row.
    failures: u32,
    /// The kinds and names, each as one number, of the children that were there when we last looked: what is missing of them
    /// now was deleted by someone else. `None`: we have not looked yet.
    children: Option<HashSet<u64>>,
    /// When to write the status.
    pace: Pace,
}

impl Default for Memory {
    fn default() -> Self {
        Self { written: None, failures: 0, children: None, pace: Pace::new(Instant::now()) }
    }
}

impl Context {
    /// Of a process that reports events by `publisher`.
    pub(crate) fn new(
        client: Client,
        defaults: Defaults,
        publisher: Arc<Publisher>,
        caches: Arc<Caches>,
        metrics: Arc<Metrics>,
        queue: Arc<Queue>,
        clusters: Store<Known>,
    ) -> Self {
        Self {
            user_secrets: UserSecrets::new(client.clone(), queue.clone(), metrics.clone()),
            publisher,
            backplane: Backplane::default(),
            kept: Kept::default(),
            memory: Mutex::default(),
            queue,
            client,
            defaults,
            clusters,
            caches,
            metrics,
        }
    }

    /// The cluster of that namespace and name, as it is known.
    pub fn cluster(&self, cluster: &Key) -> Option<Arc<Known>> {
        find_cluster(&self.clusters, cluster)
    }

    /// `object` as it is known now; `None` if it is gone, even if another one has its name.
    pub fn still<K: Resource<DynamicType = ()>>(&self, object: &K) -> Option<Arc<Known>> {
        self.cluster(&key(object)).filter(|now| now.uid() == object.uid())
    }

    /// Brings one cluster closer to what its spec says. Returns after how long it is to be looked at again, if nothing happens to it
    /// before; `None`: it need not be.
    pub async fn reconcile(&self, object: &ChatCluster) -> Result<Option<Duration>, ReconcileError> {
        if object.meta().deletion_timestamp.is_some() {
            return Ok(None);
        }
        let again = match Box::pin(self.attempt(object)).await {
            // What was overlooked is known now: once more, at once. A third time waits for the back-off.
            Err(ReconcileError::Apply(ApplyError::Overlooked { .. } | ApplyError::Superseded(_))) => {
                Box::pin(self.attempt(object)).await
            }
            result => result,
        };
        match again {
            // The watch will tell.
            Err(ReconcileError::Apply(ApplyError::Ownerless)) => Ok(None),
            again => again.map(Some),
        }
    }

    async fn attempt(&self, object: &ChatCluster) -> Result<Duration, ReconcileError> {
        let cluster = Cluster::new(object, &self.defaults)?;
        let before = self.status_so_far(object);

        let (observed, _turn) =
            observe(&cluster, &self.caches, &self.user_secrets, &self.backplane, &self.queue).await?;
        if self.is_superseded(object) {
            return Ok(Duration::ZERO);
        }
        let auth = resolve_auth(observed.auth.as_deref(), &observed.user_secret);
        let verdicts = judge(&cluster, &observed, auth.as_ref(), &before);
        let public = cluster.spec.service.publish == PublishMode::Immediately
            || verdicts.verified.holds
            || before.is_published();

        // A password that cannot be used holds nothing up that runs already with the one before it.
        let in_force = auth.ok().or_else(|| observed.auth.as_deref().and_then(auth_of));
        let mut applied = Vec::new();
        let mut failures = Vec::new();
        let mut passing = None;
        let mut pending = Vec::new();
        if let Some(auth) = in_force {
            let keys = hub_keys::resolve(&cluster, observed.hub_token.as_deref(), &observed.hub_secret);
            let growth = growth(&cluster, observed.claim.as_deref(), observed.storage_class.as_deref());
            let children =
                children(&cluster.with_volume_of(growth.stays_at()), &auth, &keys, &self.defaults, public);
            let read = observed.own_secrets();
            let writer = Applier {
                client: &self.client,
                caches: &self.caches,
                kept: &self.kept,
                cluster: &cluster,
                read: &read,
            };
            let results = if cluster.held.is_some() {
                pending = writer.plan(children, &growth);
                Vec::new()
            } else {
                Box::pin(writer.apply(children, growth)).await
            };
            for result in results {
                if let Err(error) = &result
                    && let Some((kind, word)) = error.write()
                {
                    self.metrics.wrote(kind, word);
                }
                match result {
                    Ok(done) => applied.push(done),
                    Err(
                        error @ (ApplyError::Overlooked { .. }
                        | ApplyError::Superseded(_)
                        | ApplyError::Ownerless
                        | ApplyError::Transient { .. }),
                    ) => passing = Some(error),
                    Err(error) => {
                        failures.push(Failure { reason: error.reason(), message: error.to_string() })
                    }
                }
            }
        }
        self.report_writes(object, &before, &applied).await;
        if let Some(error) = passing {
            return Err(ReconcileError::Apply(error));
        }

        let waits_for_own_writes = failures.is_empty() && applied.iter().any(|done| is_news(&done.outcome));
        if !waits_for_own_writes {
            let now = k8s_openapi::jiff::Timestamp::now();
            let done = Done { failures: &failures, pending };
            let after =
                status(&cluster, object.metadata.generation, &observed, &verdicts, done, &before, now);
            let early = self.early(object, &before, &after);
            if !early.is_zero() {
                return Ok(early.min(next_look(&cluster, &observed, &failures)));
            }
            self.write_status(object, &before, after).await?;
        }
        if waits_for_own_writes {
            // Should the watch be slow to tell us of them.
            return Ok(RETRY_UNVERIFIED);
        }
        Ok(next_look(&cluster, &observed, &failures))
    }

    /// Whether there is a newer spec than that of `object`: it may have been paused while Redis was asked.
    fn is_superseded(&self, object: &ChatCluster) -> bool {
        self.still(object).is_none_or(|now| now.meta().generation != object.metadata.generation)
    }

    /// The status as it is now: what the watch delivered, or what we wrote since.
    fn status_so_far(&self, object: &ChatCluster) -> ChatClusterStatus {
        let delivered = object.resource_version().and_then(|v| v.parse::<u64>().ok()).unwrap_or(u64::MAX);
        let mut memory = self.memory();
        let written = object.uid().and_then(|uid| memory.get_mut(&uid)).map(|memory| &mut memory.written);
        match written {
            Some(Some((version, status))) if *version > delivered => status.clone(),
            written => {
                written.map(Option::take);
                object.status.clone().unwrap_or_default()
            }
        }
    }

    /// Whether this very version is what writing its status made of it.
    pub fn wrote(&self, object: &impl Resource) -> bool {
        let version = object.resource_version().and_then(|version| version.parse::<u64>().ok());
        let memory = self.memory();
        let written =
            object.uid().and_then(|uid| memory.get(&uid)?.written.as_ref().map(|(version, _)| *version));
        version.is_some() && version == written
    }

    /// For how long a status need not be written yet.
    fn early(&self, object: &ChatCluster, before: &ChatClusterStatus, after: &ChatClusterStatus) -> Duration {
        let mut early = Duration::ZERO;
        let is_busy = self.queue.is_long();
        if before != after {
            self.remember(object, |memory| early = memory.pace.wait(before, after, Instant::now(), is_busy));
        }
        early
    }

    async fn report_writes(&self, object: &ChatCluster, before: &ChatClusterStatus, applied: &[Applied]) {
        for done in applied {
            if !matches!(done.outcome, Outcome::Unchanged | Outcome::Absent) {
                let (kind, name) =
                    (done.child.kind.as_deref().unwrap_or_default(), done.child.name.as_deref());
                info!(kind, name, outcome = ?done.outcome, "wrote a child");
                if let Some(word) = done.outcome.word() {
                    self.metrics.wrote(kind, word);
                }
            }
        }
        let settled = is_settled(object, before);
        let mut notices = Vec::new();
        self.remember(object, |memory| {
            let former = |child: &ObjectReference| match &memory.children {
                Some(children) if children.contains(&number_of(child)) => Former::There,
                // A new process has seen nothing yet, but the status tells that all had been made.
                None if settled && (before.is_published() || child.name != object.metadata.name) => {
                    Former::Made
                }
                _ => Former::Unmade,
            };
            notices = events::of_writes(applied, former);
            for done in applied.iter().filter(|done| events::is_drift(done, former)) {
                self.metrics.drift_repaired(done.child.kind.as_deref().unwrap_or_default());
            }
            let children = memory.children.get_or_insert_default();
            for done in applied {
                match done.outcome {
                    Outcome::Removed | Outcome::Recreating(_) => {
                        children.remove(&number_of(&done.child));
                    }
                    // Leaving by our doing, or someone else's.
                    Outcome::Absent | Outcome::Leaving => {}
                    _ => {
                        children.insert(number_of(&done.child));
                    }
                }
            }
        });
        for notice in notices {
            self.publisher.publish(&object.object_ref(&()), notice).await;
        }
    }

    async fn write_status(
        &self,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        after: ChatClusterStatus,
    ) -> Result<(), ReconcileError> {
        if *before == after {
            return Ok(());
        }
        debug!("writing the status");
        let api: Api<Lean<ChatCluster>> =
            Api::namespaced(self.client.clone(), &object.namespace().unwrap_or_default());
        let mut status = serde_json::json!({"address": null, "hub": null, "pending": null, "conditions": []});
        merge(&mut status, &after);
        let patch = Patch::Merge(serde_json::json!({"metadata": {"uid": object.uid()}, "status": status}));
        // It is of our own type: the API server need not look for fields that the schema does not have.
        let params = PatchParams::default().validation_ignore();
        match api.patch_status(&object.name_any(), &params, &patch).await {
            Ok(Lean(written)) => {
                self.metrics.wrote_status();
                let version = written.resource_version().and_then(|v| v.parse().ok()).unwrap_or(0);
                let kept = written.status.unwrap_or_default();
                self.remember(object, |memory| {
                    memory.written = Some((version, kept));
                    memory.pace.wrote(before, &after, Instant::now());
                });
            }
            // It was deleted meanwhile, or made anew under its name.
            Err(kube::Error::Api(status)) if matches!(status.code, 404 | 409) => return Ok(()),
            Err(error) => return Err(ReconcileError::Status(error)),
        }
        for notice in events::of_conditions(before, &after) {
            self.publisher.publish(&object.object_ref(&()), notice).await;
        }
        Ok(())
    }

    fn remember(&self, object: &impl Resource, change: impl FnOnce(&mut Memory)) {
        if let Some(uid) = object.uid() {
            change(self.memory().entry(uid).or_default());
        }
    }

    /// One more reconcile of it failed. How many have, in a row.
    pub fn failed(&self, object: &impl Resource) -> u32 {
        let mut failures = 0;
        self.remember(object, |memory| {
            memory.failures += 1;
            failures = memory.failures;
        });
        failures
    }

    /// Whether the last reconcile of it failed.
    pub fn is_failing(&self, object: &impl Resource) -> bool {
        object.uid().is_some_and(|uid| self.memory().get(&uid).is_some_and(|memory| memory.failures > 0))
    }

    /// A reconcile of it went well.
    pub fn succeeded(&self, object: &impl Resource) {
        self.remember(object, |memory| memory.failures = 0);
    }

    /// It is gone.
    pub fn forget(&self, object: &impl Resource) {
        let uid = object.uid().unwrap_or_default();
        self.memory().remove(&uid);
        self.backplane.forget(&uid);
        self.kept.forget(&uid);
        self.user_secrets.leave(&object.namespace().unwrap_or_default(), &object.name_any(), &[]);
    }

    fn memory(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.memory.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether the spec as it is now has been brought about before.
fn is_settled(object: &ChatCluster, before: &ChatClusterStatus) -> bool {
    let unmade = [
        Reason::NameTaken,
        Reason::ApplyFailed,
        Reason::PodTemplateInvalid,
        Reason::SecretMissing,
        Reason::SecretKeyMissing,
        Reason::PasswordInvalid,
        Reason::AuthSecretMissing,
        Reason::AuthSecretKeyMissing,
        Reason::AuthKeyInvalid,
        Reason::Paused,
        Reason::Held,
    ];
    before.observed_generation == object.metadata.generation
        && before.observed_generation.is_some()
        && before
            .condition(ConditionType::Ready)
            .is_some_and(|c| unmade.iter().all(|r| r.as_str() != c.reason))
}

/// The child's kind and name as one number.
fn number_of(child: &ObjectReference) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&child.kind, &child.name).hash(&mut hasher);
    hasher.finish()
}

/// Whether the watch is about to tell us of our own write: then that reconcile writes the status, for both.
fn is_news(outcome: &Outcome) -> bool {
    matches!(outcome, Outcome::Created | Outcome::Updated | Outcome::Recreating(_) | Outcome::Grown { .. })
}

fn next_look(cluster: &Cluster, observed: &Observed, failures: &[Failure]) -> Duration {
    let waits_for_redis = match &observed.report {
        Report::NotAsked => false,
        Report::Unreachable { .. } | Report::Rejected => true,
        Report::Answers(_) => {
            !observed.unseen.is_empty() && cluster.spec.hub.verify == chatcluster_api::VerifyMode::Backplane
        }
    };
    let wait = if !failures.is_empty() {
        RETRY_BLOCKED
    } else if waits_for_redis {
        RETRY_UNVERIFIED
    } else {
        LOOK_AGAIN
    };
    // Jitter, so that clusters that were made together do not stay together.
    wait.mul_f64(rand::random_range(0.9..1.1))
}

/// Lays the fields of `status` over `base`, whose other fields stay: a merge patch removes only what it names as null.
fn merge(base: &mut serde_json::Value, status: &ChatClusterStatus) {
    let fields = serde_json::to_value(status).expect("a status has string keys only");
    if let (Some(base), serde_json::Value::Object(fields)) = (base.as_object_mut(), fields) {
        base.extend(fields);
    }
}
