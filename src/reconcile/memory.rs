//! The facts about clusters that are remembered between reconciles. All of them can be lost without harm.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatcluster_api::{ChatCluster, ChatClusterStatus, ConditionType, Reason};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};

use super::apply::{Applied, Outcome};
use super::events::PriorState;
use super::status;

/// The memory of each cluster, by its uid.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<String, Memory>>);

#[derive(Debug)]
struct Memory {
    /// The status as the operator last wrote it, with the resource version that it then had: the watch may
    /// not have delivered it yet.
    written: Option<(u64, ChatClusterStatus)>,
    /// The number of reconciles that failed in a row.
    failures: u32,
    /// Hashes of kind and name of the children that existed at the last look: if one of them is missing now,
    /// someone else deleted it. `None` before the first look.
    children: Option<HashSet<u64>>,
    /// The time at which the status was last written, or else the cluster was first seen.
    status_since: Instant,
}

impl Default for Memory {
    fn default() -> Self {
        Self { written: None, failures: 0, children: None, status_since: Instant::now() }
    }
}

impl Memories {
    /// Returns the latest status: the one that the operator wrote last, if the watch has not delivered it
    /// yet, or else that of `object`.
    pub(super) fn latest_status(&self, object: &ChatCluster) -> ChatClusterStatus {
        let delivered = version(object).unwrap_or(u64::MAX);
        let mut memories = self.lock();
        let written = object.uid().and_then(|uid| memories.get_mut(&uid)).map(|memory| &mut memory.written);
        match written {
            Some(Some((version, status))) if *version > delivered => status.clone(),
            written => {
                written.map(Option::take);
                object.status.clone().unwrap_or_default()
            }
        }
    }

    /// True if exactly this version of the object is the result of the operator's own write of its status.
    pub(super) fn is_own_write(&self, object: &impl Resource) -> bool {
        let version = version(object);
        let memories = self.lock();
        let written =
            object.uid().and_then(|uid| memories.get(&uid)?.written.as_ref().map(|(version, _)| *version));
        version.is_some() && version == written
    }

    /// Returns how long the status `after` may stay unwritten. `is_busy`: true while many other clusters
    /// wait.
    pub(super) fn status_pause(
        &self,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        after: &ChatClusterStatus,
        is_busy: bool,
    ) -> Duration {
        let mut pause = Duration::ZERO;
        if before != after {
            self.remember(object, |memory| {
                pause = status::pause(before, after, memory.status_since.elapsed(), is_busy);
            });
        }
        pause
    }

    /// Records that a status was written, and that the API server answered with `written`.
    pub(super) fn record_status(&self, object: &ChatCluster, written: ChatCluster) {
        let version = version(&written).unwrap_or(0);
        self.remember(object, |memory| {
            memory.written = Some((version, written.status.unwrap_or_default()));
            memory.status_since = Instant::now();
        });
    }

    /// Records the results of applying the children. Returns the prior state of each child, in their order.
    pub(super) fn record_children(
        &self,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        applied: &[Applied],
    ) -> Vec<PriorState> {
        let was_applied = was_applied(object, before);
        let mut prior_states = Vec::new();
        self.remember(object, |memory| {
            let prior = |child: &ObjectReference| match &memory.children {
                Some(children) if children.contains(&hash_of(child)) => PriorState::Existed,
                // A new process has seen no children yet, but the status says that all had been created.
                None if was_applied && (before.is_published() || child.name != object.metadata.name) => {
                    PriorState::CreatedByFormerProcess
                }
                _ => PriorState::NeverCreated,
            };
            prior_states = applied.iter().map(|done| prior(&done.child)).collect();
            let children = memory.children.get_or_insert_default();
            for done in applied {
                match done.outcome {
                    Outcome::Removed | Outcome::Recreating(_) => {
                        children.remove(&hash_of(&done.child));
                    }
                    // Either the operator or someone else deletes the child: the memory stays as it is.
                    Outcome::Absent | Outcome::Terminating => {}
                    _ => {
                        children.insert(hash_of(&done.child));
                    }
                }
            }
        });
        prior_states
    }

    /// Counts a failed reconcile of the object. Returns the number of failures in a row.
    pub(super) fn record_failure(&self, object: &impl Resource) -> u32 {
        let mut failures = 0;
        self.remember(object, |memory| {
            memory.failures += 1;
            failures = memory.failures;
        });
        failures
    }

    /// True if the last reconcile of the object failed.
    pub(super) fn is_failing(&self, object: &impl Resource) -> bool {
        object.uid().is_some_and(|uid| self.lock().get(&uid).is_some_and(|memory| memory.failures > 0))
    }

    /// Resets the number of failures after a successful reconcile of the object.
    pub(super) fn record_success(&self, object: &impl Resource) {
        self.remember(object, |memory| memory.failures = 0);
    }

    /// Drops the memory of a deleted cluster.
    pub(super) fn forget(&self, uid: &str) {
        self.lock().remove(uid);
    }

    fn remember(&self, object: &impl Resource, change: impl FnOnce(&mut Memory)) {
        if let Some(uid) = object.uid() {
            change(self.lock().entry(uid).or_default());
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<String, Memory>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn version(object: &impl Resource) -> Option<u64> {
    object.resource_version().and_then(|version| version.parse().ok())
}

/// True if the present spec has been applied before, as the status says.
fn was_applied(object: &ChatCluster, before: &ChatClusterStatus) -> bool {
    let not_applied = [
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
            .is_some_and(|ready| not_applied.iter().all(|reason| reason.as_str() != ready.reason))
}

/// Returns a hash of the child's kind and name.
fn hash_of(child: &ObjectReference) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&child.kind, &child.name).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// Returns a cluster whose status says that all children have been created.
    fn settled() -> ChatCluster {
        let ready = json!({"type": "Ready", "status": "True", "reason": "Ready", "message": "",
                           "lastTransitionTime": "2026-01-02T03:04:05Z"});
        serde_json::from_value(json!({
            "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": "lobby", "namespace": "team", "uid": "u", "generation": 1, "resourceVersion": "7"},
            "spec": {}, "status": {"observedGeneration": 1, "conditions": [ready]},
        }))
        .unwrap()
    }

    fn applied(name: &str, outcome: Outcome) -> Applied {
        let child = ObjectReference { name: Some(name.to_owned()), ..ObjectReference::default() };
        Applied { child, outcome }
    }

    fn prior_states(memories: &Memories, before: &ChatClusterStatus, outcome: Outcome) -> Vec<PriorState> {
        let applied = [applied("lobby-hub", outcome.clone()), applied("lobby", outcome)];
        memories.record_children(&settled(), before, &applied)
    }

    #[test]
    fn a_new_process_takes_for_made_what_the_status_tells_of() {
        let before = settled().status.unwrap();

        let settled = prior_states(&Memories::default(), &before, Outcome::Created);
        let unsettled = prior_states(&Memories::default(), &ChatClusterStatus::default(), Outcome::Created);

        assert_eq!(
            settled,
            [PriorState::CreatedByFormerProcess, PriorState::NeverCreated],
            "the public Service may not have been made yet"
        );
        assert_eq!(unsettled, [PriorState::NeverCreated; 2]);
    }

    #[test]
    fn what_was_there_is_known_until_the_operator_removes_it() {
        let (memories, before) = (Memories::default(), ChatClusterStatus::default());
        prior_states(&memories, &before, Outcome::Unchanged);

        assert_eq!(prior_states(&memories, &before, Outcome::Removed), [PriorState::Existed; 2]);
        assert_eq!(prior_states(&memories, &before, Outcome::Created), [PriorState::NeverCreated; 2]);
    }

    #[test]
    fn a_status_that_was_written_counts_until_the_watch_has_told_of_it() {
        let (memories, read) = (Memories::default(), settled());
        let (before, after) = (read.status.clone().unwrap(), ChatClusterStatus::default());
        let mut written = read.clone();
        written.metadata.resource_version = Some("8".to_owned());
        written.status = Some(after.clone());
        memories.record_status(&read, written.clone());

        assert!(memories.is_own_write(&written) && !memories.is_own_write(&read));
        assert_eq!(memories.latest_status(&read), after);
        written.status = Some(before.clone());
        assert_eq!(memories.latest_status(&written), before);
    }

    #[test]
    fn failures_are_counted_in_a_row() {
        let (memories, cluster) = (Memories::default(), settled());

        assert_eq!([memories.record_failure(&cluster), memories.record_failure(&cluster)], [1, 2]);
        assert!(memories.is_failing(&cluster));
        memories.record_success(&cluster);
        assert!(!memories.is_failing(&cluster));
        assert_eq!(memories.record_failure(&cluster), 1);
    }
}
