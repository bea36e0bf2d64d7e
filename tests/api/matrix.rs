//! The drift matrix: each field that the operator owns in each child is changed, removed and extended, one at
//! a time, and the operator repairs it and reports the repair. It touches no field that it does not own
//! (`not_ours`). Neither list is written by hand: the ownership is read from the objects themselves
//! (`owned`), and the possible changes are derived from the values (`mutations`).

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use futures::StreamExt as _;
use futures::stream;
use serde_json::{Value, json};

use crate::operator;
use crate::subject::{Done, Outcome, Subject, fixed, subjects, within};
use crate::support::{Chat, Kind, Namespace, SOON};

/// The number of clusters that share the work. Each child undergoes one change at a time.
const COPIES: usize = 3;
/// The number of children that are changed at the same time.
const AT_A_TIME: usize = 12;

/// A spec with every field that shows in a field of a child.
fn full() -> Value {
    json!({
        "childMetadata": {"labels": {"team": "a"}, "annotations": {"example.com/owner": "us"}},
        "hub": {
            "autoscaling": {"minReplicas": 1, "maxReplicas": 3},
            "passwordEnv": true,
            "auth": {"keySecret": {"name": "issuer"}, "issuer": "https://id.example.com", "audience": "chat"},
            "allowedOrigins": ["https://example.com"],
            "limits": {
                "messageBytes": 65536, "connections": 5000, "roomsPerConnection": 10, "messagesPerSecond": 5,
                "connectionsPerSecondPerAddress": 20,
            },
            "history": {"messages": 10, "retentionSeconds": 60},
            "rebalance": true,
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

/// The reason why a repair of this field is not reported.
fn unreported(path: &str) -> Option<&'static str> {
    path.ends_with("chatcluster.dev/applied")
        .then_some("our own note of what we wrote, as another version leaves another one")
}

async fn clusters(ns: &Namespace) -> Vec<(Chat<'_>, bool)> {
    ns.apply_secret("issuer", json!({"jwt.key": "a-secret-of-at-least-32-bytes-in-all"})).await;
    let mut chats = Vec::new();
    for copy in 0..COPIES {
        chats.push((ns.chat(&format!("full-{copy}"), full()).await, true));
    }
    chats.push((ns.chat("plain", json!({"service": {"publish": "Immediately"}})).await, false));
    chats
}

#[tokio::test]
async fn every_field_of_ours_is_repaired_and_reported_whatever_is_done_to_it() {
    let ns = operator::namespace("matrix").await;
    let start = Instant::now();
    let chats = clusters(&ns).await;
    let (mut work, mut known) = (Vec::new(), BTreeSet::new());
    for (number, (chat, autoscaled)) in chats.iter().enumerate() {
        for subject in subjects(chat, *autoscaled).await {
            let mut mutations = subject.mutations();
            if *autoscaled {
                known.extend(mutations.iter().map(|mutation| subject.id(&mutation.path)));
                let mut index = 0..;
                mutations.retain(|_| index.next().is_some_and(|i| i % COPIES == number));
            } else {
                // Without a load balancer's class, fields can be changed here that it makes immutable.
                let service = subject.child.kind == Kind::Service;
                mutations.retain(|mutation| service || !known.contains(&subject.id(&mutation.path)));
            }
            work.push((subject, mutations));
        }
    }
    work.sort_by_key(|(_, mutations)| std::cmp::Reverse(mutations.len())); // the longest first

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

    let mut wrong = Vec::new();
    for (subject, all) in &done {
        for Done { path, outcome } in all {
            if let Outcome::NotRepaired(seen) = outcome {
                wrong.push(format!("{}: {path} is not repaired: {seen}", subject.child));
            }
        }
    }
    for (chat, _) in &chats {
        wrong.extend(not_reported(chat, &done).await);
    }
    wrong.extend(summary(&done, start.elapsed()));
    assert!(wrong.is_empty(), "{wrong:#?}\n{}", ns.report());
}

/// The repairs of a cluster's children that no event reports.
async fn not_reported(chat: &Chat<'_>, done: &[(Subject<'_>, Vec<Done>)]) -> Option<String> {
    let all_reported = async || {
        let mut told: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
        for event in chat.events().await.into_iter().filter(|e| e.reason.as_deref() == Some("Repaired")) {
            let note = event.note.unwrap_or_default();
            if let Some((child, place)) = note.split_once(" was changed by someone else at ") {
                let place = place.trim_end_matches(": it is as the spec says again");
                told.entry(child.to_owned()).or_default().insert(place.to_owned());
            }
        }
        let mut missing = Vec::new();
        for (subject, all) in done.iter().filter(|(subject, _)| subject.chat.name == chat.name) {
            let told = told.get(&subject.child.to_string()).cloned().unwrap_or_default();
            for Done { path, outcome } in all {
                let Outcome::Repaired(_, changed) = outcome else { continue };
                let tells = |place: &String| changed.iter().any(|c| within(c, place) || within(place, c));
                if unreported(path).is_none() && !told.iter().any(tells) {
                    missing.push(format!("{}: no event reports the repair of {path}", subject.child));
                }
            }
        }
        if missing.is_empty() { Ok(()) } else { Err(missing.join("\n")) }
    };
    chat.ns.try_eventually(SOON, all_reported).await.err()
}

/// Prints the results. Returns the fields of ours that were never changed although no reason is known why
/// they could not be.
fn summary(done: &[(Subject<'_>, Vec<Done>)], took: Duration) -> Vec<String> {
    let (mut repairs, mut refused, mut slowest) = (0, 0, (Duration::ZERO, String::new()));
    let (mut leaves, mut alone, mut together) = (BTreeMap::new(), BTreeSet::new(), BTreeSet::new());
    for (subject, all) in done {
        let kind = subject.child.kind;
        leaves
            .extend(subject.leaves.iter().map(|leaf| (subject.id(&leaf.path()), fixed(kind, &leaf.path()))));
        for Done { path, outcome } in all {
            match outcome {
                Outcome::Repaired(after, changed) => {
                    repairs += 1;
                    slowest = slowest.max((*after, format!("{}: {path}", subject.child)));
                    let which = if changed.len() == 1 { &mut alone } else { &mut together };
                    which.extend(changed.iter().map(|path| subject.id(path)));
                }
                Outcome::Refused => refused += 1,
                Outcome::NotRepaired(_) => {}
            }
        }
    }
    together.retain(|leaf| !alone.contains(leaf));
    let (mut reasons, mut missed) = (BTreeMap::new(), Vec::new());
    for (leaf, reason) in
        leaves.iter().filter(|(leaf, _)| !alone.contains(*leaf) && !together.contains(*leaf))
    {
        match reason {
            Some(reason) => *reasons.entry(*reason).or_insert(0) += 1,
            None => missed.push(format!("{leaf}: the API server refuses every change, for no known reason")),
        }
    }
    let children: BTreeSet<_> =
        leaves.keys().filter_map(|leaf| leaf.rsplit_once(' ')).map(|(child, _)| child).collect();
    println!(
        "drift matrix: {} fields of {} children, {} changed alone and {} with others; {repairs} repairs in {took:.0?}, \
         the slowest in {:.1?} ({}); {refused} changes that the API server refuses",
        leaves.len(),
        children.len(),
        alone.len(),
        together.len(),
        slowest.0,
        slowest.1,
    );
    for (reason, fields) in reasons {
        println!("  {fields} fields were left out: {reason}");
    }
    missed
}
