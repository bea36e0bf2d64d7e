//! The drift matrix: each field of each child that the operator owns is changed, removed and added to, one at a time, and
//! is repaired and told of; of all that it does not own nothing is touched. Neither list is written by hand: who owns what
//! is read from the objects themselves (`owned`), what can be done to it from its value (`mutations`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};

use crate::mutations::{self, Mutation};
use crate::operator;
use crate::owned::{Leaf, owned};
use crate::support::{Chat, Child, Kind, Namespace, SOON};

/// Repairs are made on a watch event, so in a fraction of a second; the rest is for a busy machine.
const AT_ONCE: Duration = Duration::from_secs(10);
/// How many clusters share the work, each child being changed by one at a time.
const COPIES: usize = 3;
/// How many children are being changed at once.
const AT_A_TIME: usize = 12;

/// Every field of the spec that makes a field of a child.
fn full() -> Value {
    json!({
        "childMetadata": {"labels": {"team": "a"}, "annotations": {"example.com/owner": "us"}},
        "hub": {
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
            "passwordEnv": true,
            "imagePullSecrets": [{"name": "registry"}],
            "env": [{"name": "EXTRA", "value": "1"}],
            "envFrom": [{"configMapRef": {"name": "settings"}}],
            "resources": {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}},
            "podTemplate": {
                "metadata": {"labels": {"tier": "front"}, "annotations": {"example.com/note": "n"}},
                "spec": {
                    "nodeSelector": {"kubernetes.io/os": "linux"},
                    "tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}],
                    "hostAliases": [{"ip": "192.0.2.1", "hostnames": ["db"]}],
                    "containers": [{
                        "name": "sidecar",
                        "image": "localhost/sidecar:1",
                        "args": ["--verbose"],
                        "securityContext": {"allowPrivilegeEscalation": false, "capabilities": {"drop": ["ALL"]}},
                        "volumeMounts": [{"name": "more", "mountPath": "/more"}],
                    }],
                    "volumes": [{"name": "more", "configMap": {"name": "more"}}],
                },
            },
        },
        "redis": {
            "persistence": "Snapshot",
            "config": {"maxmemory": "100mb"},
            "storage": {"size": "1Gi", "storageClassName": "none", "retain": false},
            "resources": {"limits": {"memory": "256Mi"}},
            "podTemplate": {"spec": {"tolerations": [{"operator": "Exists"}], "nodeSelector": {"kubernetes.io/os": "linux"}}},
        },
        "service": {
            "port": 8000,
            "annotations": {"example.com/tier": "gold"},
            "loadBalancerClass": "example.com/none",
            "loadBalancerSourceRanges": ["192.0.2.0/24"],
            "externalTrafficPolicy": "Local",
            "sessionAffinity": "ClientIP",
            "ipFamilyPolicy": "SingleStack",
            "ipFamilies": ["IPv4"],
            "publish": "Immediately",
        },
    })
}

/// Why a field of ours cannot be changed by anyone, or must not be: nothing is to be repaired there.
fn fixed(kind: Kind, path: &str) -> Option<&'static str> {
    let within = |field: &str| {
        path == field || path.starts_with(&format!("{field}.")) || path.starts_with(&format!("{field}["))
    };
    let immutable: &[&str] = match kind {
        Kind::Deployment => &["spec.selector"],
        Kind::StatefulSet => {
            &["spec.selector", "spec.serviceName", "spec.podManagementPolicy", "spec.volumeClaimTemplates"]
        }
        Kind::Service => &["spec.clusterIP", "spec.ipFamilies", "spec.loadBalancerClass"],
        Kind::Secret => &["type"],
        _ => &[],
    };
    if immutable.iter().any(|field| within(field)) {
        return Some("Kubernetes lets nobody change it");
    }
    let workload = matches!(kind, Kind::Deployment | Kind::StatefulSet);
    let selected = ["name", "instance", "component"]
        .map(|l| format!("spec.template.metadata.labels.app.kubernetes.io/{l}"));
    if workload && selected.iter().any(|label| label == path) {
        return Some("the selector, which nobody can change, asks for it");
    }
    if within("metadata.ownerReferences") && !path.ends_with("]") && !path.ends_with(".controller") {
        return Some("the garbage collector deletes what belongs to an object that is not there");
    }
    if kind == Kind::Secret && path == "data.redis.password" {
        return Some("it is kept nowhere else: whoever changes it sets the password");
    }
    None
}

/// Why a repair is not told.
fn untold(path: &str) -> Option<&'static str> {
    path.ends_with("chatcluster.dev/applied")
        .then_some("our own note of what we wrote, as another version leaves another one")
}

/// What became of a mutation.
struct Done {
    kind: Kind,
    path: String,
    outcome: Outcome,
}

enum Outcome {
    /// No way to do it is one that the API server takes and that changes a field of ours.
    Refused,
    /// After so long. Changed were these fields of ours.
    Repaired(Duration, Vec<String>),
    /// What was seen instead.
    NotRepaired(String),
}

/// A child as the operator made it, and what is ours in it.
struct Subject<'a> {
    chat: &'a Chat<'a>,
    child: Child,
    object: Value,
    leaves: Vec<Leaf>,
}

impl<'a> Subject<'a> {
    async fn new(chat: &'a Chat<'a>, child: Child) -> Self {
        let object = child.get().await;
        let leaves = owned(&object, "chatcluster-operator");
        assert!(leaves.len() > 5, "{child}: {leaves:#?}");
        Self { chat, child, object, leaves }
    }

    fn mutations(&self) -> Vec<Mutation> {
        let mut all: Vec<_> = self.leaves.iter().flat_map(|leaf| mutations::of(leaf, &self.object)).collect();
        all.retain(|mutation| fixed(self.child.kind, &mutation.path).is_none());
        all
    }

    /// The fields of ours that differ.
    fn changed(&self, now: &Value) -> Vec<String> {
        self.leaves.iter().filter(|leaf| leaf.of(now) != leaf.of(&self.object)).map(Leaf::path).collect()
    }

    async fn suffer(&self, mutation: Mutation) -> Done {
        let mut outcome = Outcome::Refused;
        for way in mutation.ways {
            let way = json!([way]);
            let Ok(would) = self.child.try_edit(&way, true).await else { continue };
            let changed = self.changed(&would);
            if changed.is_empty() {
                continue;
            }
            self.child.edit(way.clone()).await;
            let start = Instant::now();
            let repaired = async || {
                let now = self.child.seen().await?;
                let still = self.changed(&now);
                if still.is_empty() { Ok(()) } else { Err(format!("{still:?} after {way}")) }
            };
            outcome = match self.chat.ns.try_eventually(AT_ONCE, repaired).await {
                Ok(()) => Outcome::Repaired(start.elapsed(), changed),
                Err(seen) => Outcome::NotRepaired(seen),
            };
            self.tidy().await;
            break;
        }
        Done { kind: self.child.kind, path: mutation.path, outcome }
    }

    /// Takes away what remains of a mutation and is not ours, such as a renamed element.
    async fn tidy(&self) {
        let now = self.child.get().await;
        for place in
            ["/spec", "/data", "/metadata/labels", "/metadata/annotations", "/metadata/ownerReferences"]
        {
            if let Some(before) = self.object.pointer(place)
                && now.pointer(place) != Some(before)
            {
                // Where a port was given anew it stays, as it cannot be taken back.
                let _ =
                    self.child.try_edit(&json!([{"op": "add", "path": place, "value": before}]), false).await;
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
async fn subjects<'a>(chat: &'a Chat<'a>, autoscaled: bool) -> Vec<Subject<'a>> {
    let mut subjects = Vec::new();
    for child in children(chat, autoscaled) {
        chat.ns.eventually(SOON, &format!("{child} is made"), async || child.seen().await).await;
        match child.kind {
            Kind::Deployment => child.merge(json!({"spec": {"paused": true}})).await,
            Kind::StatefulSet => {
                child
                    .merge(json!({"spec": {"updateStrategy": {"type": "OnDelete", "rollingUpdate": null}}}))
                    .await
            }
            _ => {}
        }
        subjects.push(Subject::new(chat, child).await);
    }
    subjects
}

async fn clusters(ns: &Namespace) -> Vec<(Chat<'_>, bool)> {
    let mut chats = Vec::new();
    for copy in 0..COPIES {
        chats.push((ns.chat(&format!("full-{copy}"), full()).await, true));
    }
    chats.push((ns.chat("plain", json!({"service": {"publish": "Immediately"}})).await, false));
    chats
}

#[tokio::test]
async fn every_field_of_ours_is_repaired_whatever_is_done_to_it() {
    let ns = operator::namespace("matrix").await;
    let start = Instant::now();
    let chats = clusters(&ns).await;
    let (mut work, mut known, mut leaves) = (Vec::new(), BTreeSet::new(), BTreeSet::new());
    for (number, (chat, autoscaled)) in chats.iter().enumerate() {
        for subject in subjects(chat, *autoscaled).await {
            let suffix = subject.child.name.strip_prefix(&chat.name).expect("a child").to_owned();
            let which = |path: &str| format!("{:?} {suffix} {path}", subject.child.kind);
            leaves.extend(
                subject
                    .leaves
                    .iter()
                    .map(|leaf| (which(&leaf.path()), fixed(subject.child.kind, &leaf.path()))),
            );
            let mut mutations = subject.mutations();
            if *autoscaled {
                known.extend(mutations.iter().map(|mutation| which(&mutation.path)));
                let mut index = 0..;
                mutations.retain(|_| index.next().is_some_and(|i| i % COPIES == number));
            } else {
                mutations.retain(|mutation| !known.contains(&which(&mutation.path)));
            }
            work.push((subject, mutations));
        }
    }

    let done: Vec<(Subject<'_>, Vec<Done>)> = stream::iter(work)
        .map(async |(subject, mutations)| {
            let mut done = Vec::new();
            for mutation in mutations {
                done.push(subject.suffer(mutation).await);
            }
            (subject, done)
        })
        .buffer_unordered(AT_A_TIME)
        .collect()
        .await;

    report(&done, start.elapsed());
}

fn report(done: &[(Subject<'_>, Vec<Done>)], took: Duration) {
    let (mut repaired, mut refused, mut not, mut slowest) = (0, BTreeMap::new(), Vec::new(), Duration::ZERO);
    for (subject, all) in done {
        for Done { kind, path, outcome } in all {
            match outcome {
                Outcome::Repaired(after, _) => {
                    repaired += 1;
                    slowest = slowest.max(*after);
                }
                Outcome::Refused => *refused.entry(format!("{kind:?} {path}")).or_insert(0) += 1,
                Outcome::NotRepaired(seen) => not.push(format!("{}: {path}: {seen}", subject.child)),
            }
        }
    }
    println!("{repaired} repaired, slowest {slowest:?}, refused {}, in {took:?}", refused.len());
    println!("{refused:#?}");
    println!("{not:#?}");
    assert!(not.is_empty());
}
