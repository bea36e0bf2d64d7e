//! A child as the operator made it, the fields in it that are ours, and the outcome of changes to them.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::mutations::{self, Mutation};
use crate::owned::{Leaf, owned};
use crate::support::{Chat, Child, Kind, SOON};

/// The bound for a repair: a watch event triggers it, so it takes a fraction of a second; the rest is for a
/// busy machine.
const AT_ONCE: Duration = Duration::from_mins(1);
/// The time between two looks at a child meanwhile.
const POLL: Duration = Duration::from_millis(80);

/// The reason why nobody can or must change a field of ours, so that there is nothing to repair.
pub(crate) fn fixed(kind: Kind, path: &str) -> Option<&'static str> {
    let immutable: &[&str] = match kind {
        Kind::Deployment => &["spec.selector"],
        Kind::StatefulSet => {
            &["spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"]
        }
        Kind::Service => &["spec.clusterIP", "spec.ipFamilies", "spec.loadBalancerClass"],
        Kind::Secret => &["type"],
        _ => &[],
    };
    if immutable.iter().any(|field| within(path, field)) {
        return Some("Kubernetes lets nobody change it");
    }
    let workload = matches!(kind, Kind::Deployment | Kind::StatefulSet);
    let selected = ["name", "instance", "component"]
        .map(|l| format!("spec.template.metadata.labels.app.kubernetes.io/{l}"));
    if workload && selected.iter().any(|label| label == path) {
        return Some("the selector, which nobody can change, requires it");
    }
    if within(path, "metadata.ownerReferences") && !path.ends_with(']') && !path.ends_with(".controller") {
        return Some("the garbage collector deletes objects whose owner does not exist");
    }
    if kind == Kind::Secret && ["data.redis.password", "data.revision", "data.token.key"].contains(&path) {
        return Some("it is stored nowhere else, so a change sets the password or the key");
    }
    None
}

/// True if a path leads to a field or to something inside it.
pub(crate) fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// A mutation that was tried, with its outcome.
pub(crate) struct Done {
    pub(crate) path: String,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    /// The API server accepted none of the patches, or none changed a field of ours.
    Refused,
    /// The change was repaired after this time. It had changed these fields of ours.
    Repaired(Duration, Vec<String>),
    /// The change was not repaired, with a description of the child's state.
    NotRepaired(String),
}

/// A child as the operator made it, and the fields in it that are ours.
pub(crate) struct Subject<'a> {
    pub(crate) chat: &'a Chat<'a>,
    pub(crate) child: Child,
    pub(crate) object: Value,
    pub(crate) leaves: Vec<Leaf>,
}

impl<'a> Subject<'a> {
    async fn new(chat: &'a Chat<'a>, child: Child) -> Self {
        let object = child.get().await;
        let leaves = owned(&object, "chatcluster-operator");
        assert!(leaves.len() > 5, "{child}: {leaves:#?}");
        Self { chat, child, object, leaves }
    }

    /// A name for a field of this child that is the same in every cluster.
    pub(crate) fn id(&self, path: &str) -> String {
        let suffix =
            self.child.name.strip_prefix(&self.chat.name).expect("a child is named after its cluster");
        // The owner's uid differs between clusters.
        let path = path.split_once("ownerReferences[").map_or(path, |(before, _)| before);
        format!("{:?} …{suffix} {path}", self.child.kind)
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        let mut all: Vec<_> = self.leaves.iter().flat_map(|leaf| mutations::of(leaf, &self.object)).collect();
        all.retain(|mutation| fixed(self.child.kind, &mutation.path).is_none());
        all
    }

    /// The fields of ours that differ from the original object.
    pub(crate) fn changed(&self, now: &Value) -> Vec<String> {
        self.leaves.iter().filter(|leaf| leaf.of(now) != leaf.of(&self.object)).map(Leaf::path).collect()
    }

    pub(crate) async fn suffer(&self, mutation: Mutation) -> Done {
        let mut outcome = Outcome::Refused;
        for way in mutation.ways {
            let way = if way.is_array() { way } else { json!([way]) };
            let Ok(now) = self.child.try_edit(&way).await else { continue };
            let changed = self.changed(&now);
            if changed.is_empty() {
                self.tidy(&now).await;
                continue;
            }
            outcome = self.repaired(changed, &way).await;
            break;
        }
        Done { path: mutation.path, outcome }
    }

    async fn repaired(&self, changed: Vec<String>, way: &Value) -> Outcome {
        let start = Instant::now();
        loop {
            tokio::time::sleep(POLL).await;
            let now = self.child.seen().await;
            let still =
                now.as_ref().map_or_else(|_| vec!["it is not there".to_owned()], |now| self.changed(now));
            if let (Ok(now), true) = (&now, still.is_empty() || start.elapsed() > AT_ONCE) {
                self.tidy(now).await;
            }
            if still.is_empty() {
                return Outcome::Repaired(start.elapsed(), changed);
            }
            if start.elapsed() > AT_ONCE {
                return Outcome::NotRepaired(format!("{still:?} after {way}"));
            }
        }
    }

    /// Removes remains of a mutation that are not ours, such as a renamed element.
    async fn tidy(&self, now: &Value) {
        for place in
            ["/spec", "/data", "/metadata/labels", "/metadata/annotations", "/metadata/ownerReferences"]
        {
            if let Some(before) = self.object.pointer(place)
                && now.pointer(place) != Some(before)
            {
                // The patch may fail: a newly allocated port, for example, cannot be changed back.
                let _ = self.child.try_edit(&json!([{"op": "add", "path": place, "value": before}])).await;
            }
        }
    }
}

/// The children of a cluster, with an autoscaler if there is one.
fn children(chat: &Chat<'_>, autoscaled: bool) -> Vec<Child> {
    let mut all = chat.children();
    if autoscaled {
        all.push(chat.child(Kind::HorizontalPodAutoscaler, "-hub"));
    }
    all
}

/// All children of a cluster, once they exist. Their workloads are frozen, so that mutations restart no pods.
pub(crate) async fn subjects<'a>(chat: &'a Chat<'a>, autoscaled: bool) -> Vec<Subject<'a>> {
    let mut subjects = Vec::new();
    for child in children(chat, autoscaled) {
        chat.ns.wait_for(&child, SOON).await;
        let frozen = match child.kind {
            Kind::Deployment => Some(json!({"spec": {"paused": true}})),
            Kind::StatefulSet => {
                Some(json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}))
            }
            _ => None,
        };
        if let Some(frozen) = frozen {
            child.merge(frozen).await;
        }
        subjects.push(Subject::new(chat, child).await);
    }
    subjects
}
