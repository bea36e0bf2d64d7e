//! What is remembered of the clusters between reconciles. All of it can be lost.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use chatcluster_api::{ChatCluster, ChatClusterStatus, ConditionType, Reason};
use k8s_openapi::api::core::v1::ObjectReference;
use kube::{Resource, ResourceExt};

use super::apply::{Applied, Outcome};
use super::events::Former;
use super::status;

/// The memories of all clusters, by their uids.
#[derive(Debug, Default)]
pub(super) struct Memories(Mutex<HashMap<String, Memory>>);

#[derive(Debug)]
struct Memory {
    /// The status as we last wrote it, with the version it then had: the watch may not have delivered it yet.
    written: Option<(u64, ChatClusterStatus)>,
    /// How many reconciles failed in a row.
    failures: u32,
    /// The kinds and names, each as one number, of the children that were there when we last looked: what is missing of them
    /// now was deleted by someone else. `None`: we have not looked yet.
    children: Option<HashSet<u64>>,
    /// When the status was last written, or else the cluster was first seen.
    status_since: Instant,
}

impl Default for Memory {
    fn default() -> Self {
        Self { written: None, failures: 0, children: None, status_since: Instant::now() }
    }
}

impl Memories {
    /// The status as it is now: what the watch delivered, or what we wrote since.
    pub(super) fn status_so_far(&self, object: &ChatCluster) -> ChatClusterStatus {
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

    /// Whether this very version is what writing its status made of it.
    pub(super) fn wrote(&self, object: &impl Resource) -> bool {
        let version = version(object);
        let memories = self.lock();
        let written =
            object.uid().and_then(|uid| memories.get(&uid)?.written.as_ref().map(|(version, _)| *version));
        version.is_some() && version == written
    }

    /// For how long the status `after` need not be written yet. `is_busy`: whether many other clusters wait.
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

    /// A status was written, and the API server answered with `written`.
    pub(super) fn status_written(&self, object: &ChatCluster, written: ChatCluster) {
        let version = version(&written).unwrap_or(0);
        self.remember(object, |memory| {
            memory.written = Some((version, written.status.unwrap_or_default()));
            memory.status_since = Instant::now();
        });
    }

    /// Takes down what became of the children. Returns what had been known of each before, in their order.
    pub(super) fn children_applied(
        &self,
        object: &ChatCluster,
        before: &ChatClusterStatus,
        applied: &[Applied],
    ) -> Vec<Former> {
        let settled = is_settled(object, before);
        let mut formers = Vec::new();
        self.remember(object, |memory| {
            let former = |child: &ObjectReference| match &memory.children {
                Some(children) if children.contains(&number_of(child)) => Former::There,
                // A new process has seen nothing yet, but the status tells that all had been made.
                None if settled && (before.is_published() || child.name != object.metadata.name) => {
                    Former::Made
                }
                _ => Former::Unmade,
            };
            formers = applied.iter().map(|done| former(&done.child)).collect();
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
        formers
    }

    /// One more reconcile of it failed. Returns how many have, in a row.
    pub(super) fn failed(&self, object: &impl Resource) -> u32 {
        let mut failures = 0;
        self.remember(object, |memory| {
            memory.failures += 1;
            failures = memory.failures;
        });
        failures
    }

    /// Whether the last reconcile of it failed.
    pub(super) fn is_failing(&self, object: &impl Resource) -> bool {
        object.uid().is_some_and(|uid| self.lock().get(&uid).is_some_and(|memory| memory.failures > 0))
    }

    /// A reconcile of it went well.
    pub(super) fn succeeded(&self, object: &impl Resource) {
        self.remember(object, |memory| memory.failures = 0);
    }

    /// The cluster is gone.
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
            .is_some_and(|ready| unmade.iter().all(|reason| reason.as_str() != ready.reason))
}

/// The child's kind and name as one number.
fn number_of(child: &ObjectReference) -> u64 {
    let mut hasher = DefaultHasher::new();
    (&child.kind, &child.name).hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    /// A cluster whose children have all been made, as its status says.
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

    fn formers(memories: &Memories, before: &ChatClusterStatus, outcome: Outcome) -> Vec<Former> {
        let applied = [applied("lobby-hub", outcome.clone()), applied("lobby", outcome)];
        memories.children_applied(&settled(), before, &applied)
    }

    #[test]
    fn a_new_process_takes_for_made_what_the_status_tells_of() {
        let before = settled().status.unwrap();

        let settled = formers(&Memories::default(), &before, Outcome::Created);
        let unsettled = formers(&Memories::default(), &ChatClusterStatus::default(), Outcome::Created);

        assert_eq!(settled, [Former::Made, Former::Unmade], "the public Service may not have been made yet");
        assert_eq!(unsettled, [Former::Unmade; 2]);
    }

    #[test]
    fn what_was_there_is_known_until_the_operator_removes_it() {
        let (memories, before) = (Memories::default(), ChatClusterStatus::default());
        formers(&memories, &before, Outcome::Unchanged);

        assert_eq!(formers(&memories, &before, Outcome::Removed), [Former::There; 2]);
        assert_eq!(formers(&memories, &before, Outcome::Created), [Former::Unmade; 2]);
    }

    #[test]
    fn a_status_that_was_written_counts_until_the_watch_has_told_of_it() {
        let (memories, read) = (Memories::default(), settled());
        let (before, after) = (read.status.clone().unwrap(), ChatClusterStatus::default());
        let mut written = read.clone();
        written.metadata.resource_version = Some("8".to_owned());
        written.status = Some(after.clone());
        memories.status_written(&read, written.clone());

        assert!(memories.wrote(&written) && !memories.wrote(&read));
        assert_eq!(memories.status_so_far(&read), after);
        written.status = Some(before.clone());
        assert_eq!(memories.status_so_far(&written), before);
    }

    #[test]
    fn failures_are_counted_in_a_row() {
        let (memories, cluster) = (Memories::default(), settled());

        assert_eq!([memories.failed(&cluster), memories.failed(&cluster)], [1, 2]);
        assert!(memories.is_failing(&cluster));
        memories.succeeded(&cluster);
        assert!(!memories.is_failing(&cluster));
        assert_eq!(memories.failed(&cluster), 1);
    }
}
