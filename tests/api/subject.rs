//! A child as the operator made it, what is ours in it, and what becomes of it when that is changed.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::mutations::{self, Mutation};
use crate::owned::{Leaf, owned};
use crate::support::{Chat, Child, Kind, SOON};

/// Repairs are made on a watch event, so in a fraction of a second; the rest is for a busy machine.
const AT_ONCE: Duration = Duration::from_mins(1);
/// How often a child is looked at meanwhile.
const POLL: Duration = Duration::from_millis(80);

/// Why a field of ours cannot be changed by anyone, or must not be: nothing is to be repaired there.
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
        return Some("the selector, which nobody can change, asks for it");
    }
    if within(path, "metadata.ownerReferences") && !path.ends_with(']') && !path.ends_with(".controller") {
        return Some("the garbage collector deletes what belongs to an object that is not there");
    }
    if kind == Kind::Secret && ["data.redis.password", "data.revision", "data.token.key"].contains(&path) {
        return Some("it is kept nowhere else: whoever changes it sets the password or the key");
    }
    None
}

/// Whether a path is that of a field or of something in it.
pub(crate) fn within(path: &str, field: &str) -> bool {
    path.strip_prefix(field).is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
}

/// What became of a mutation.
pub(crate) struct Done {
    pub(crate) path: String,
    pub(crate) outcome: Outcome,
}

pub(crate) enum Outcome {
    /// No way to do it is one that the API server takes and that changes a field of ours.
    Refused,
    /// After so long. Changed were these fields of ours.
    Repaired(Duration, Vec<String>),
    /// What was seen instead.
    NotRepaired(String),
}

/// A child as the operator made it, and what is ours in it.
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

    /// Names a field of it, in whichever cluster.
    pub(crate) fn id(&self, path: &str) -> String {
        let suffix =
            self.child.name.strip_prefix(&self.chat.name).expect("a child is named after its cluster");
        // The owner's uid is another in each.
        let path = path.split_once("ownerReferences[").map_or(path, |(before, _)| before);
        format!("{:?} …{suffix} {path}", self.child.kind)
    }

    pub(crate) fn mutations(&self) -> Vec<Mutation> {
        let mut all: Vec<_> = self.leaves.iter().flat_map(|leaf| mutations::of(leaf, &self.object)).collect();
        all.retain(|mutation| fixed(self.child.kind, &mutation.path).is_none());
        all
    }

    /// The fields of ours that differ.
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

    /// Takes away what remains of a mutation and is not ours, such as a renamed element.
    async fn tidy(&self, now: &Value) {
        for place in
            ["/spec", "/data", "/metadata/labels", "/metadata/annotations", "/metadata/ownerReferences"]
        {
            if let Some(before) = self.object.pointer(place)
                && now.pointer(place) != Some(before)
            {
                // Where a port was given anew it stays, as it cannot be taken back.
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

/// All children of a cluster, once they are there. No pod is made anew for what is done to them.
pub(crate) async fn subjects<'a>(chat: &'a Chat<'a>, autoscaled: bool) -> Vec<Subject<'a>> {
    let mut subjects = Vec::new();
    for child in children(chat, autoscaled) {
        chat.ns.eventually(SOON, &format!("{child} is made"), async || child.seen().await).await;
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
