//! Phase "drift": children are deleted and changed behind the operator's back, until the operator has
//! repaired them.

use crate::api::for_each;
use crate::audit::{Agent, Entry, now};
use crate::bench::Bench;
use crate::figures::{milliseconds, seconds};
use crate::names::{Set, name};
use crate::objects::Template;
use crate::reference::ReferenceWrite;
use crate::wait::until;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;

/// The resources to spoil: their loss or change restarts no pod.
const SPOILT: [&str; 4] = ["configmaps", "services", "networkpolicies", "poddisruptionbudgets"];
/// The pause between two of them in [`idle`].
const PAUSE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_mins(2);

/// Spoils one child after the other, while nothing else happens.
pub(crate) async fn idle(bench: &mut Bench) -> Result<Value> {
    let round_trip = ReferenceWrite::new(bench)?.round_trip(&bench.api).await?;
    let (mut deleted, mut changed) = (Vec::new(), Vec::new());
    for round in 0..bench.options.drifts {
        let cluster = round * 7919 % bench.clusters();
        tokio::time::sleep(PAUSE).await;
        let (path, is_deletion) = spoil(bench, cluster, round).await?;
        let from = bench.audit.len();
        let what = format!("{path} is repaired");
        let took = until(&what, PATIENCE, Duration::from_millis(10), async || {
            bench.audit.read()?;
            Ok(repairs(bench.audit.since(from)).remove(&path))
        })
        .await?;
        if is_deletion { deleted.push(took) } else { changed.push(took) }
    }
    Ok(json!({
        "round_trip_ms": round_trip,
        "deleted_ms": milliseconds(deleted.iter().copied()),
        "changed_ms": milliseconds(changed.iter().copied()),
        "ms": milliseconds(deleted.into_iter().chain(changed)),
    }))
}

/// Spoils one child of every tenth cluster, all at once.
pub(crate) async fn many(bench: &mut Bench) -> Result<Value> {
    let place = bench.audit.len();
    let start = now();
    let clusters: Vec<usize> = (0..bench.clusters()).step_by(10).collect();
    let spoilt = clusters.len();
    {
        let bench = &*bench;
        for_each(clusters, |cluster| async move { spoil(bench, cluster, cluster / 10).await.map(drop) })
            .await?;
    }
    let repaired = until("all are repaired", bench.patience(), Duration::from_millis(50), async || {
        bench.audit.read()?;
        let repaired = repairs(bench.audit.since(place));
        Ok((repaired.len() >= spoilt).then_some(repaired))
    })
    .await?;
    let last = bench.audit.of_operator(place).filter(|e| e.is_of_child()).map(|e| e.answered).max();
    Ok(json!({
        "spoilt": spoilt,
        "ms": milliseconds(repaired.into_values()),
        "all_s": seconds(last.context("nothing was repaired")? - start),
    }))
}

/// Deletes or changes a child, chosen by the round. Returns its path, and whether it was deleted.
async fn spoil(bench: &Bench, cluster: usize, round: usize) -> Result<(String, bool)> {
    let can_be = |child: &&Template| SPOILT.contains(&child.resource.as_str()) && !child.is_public;
    let children: Vec<&Template> = bench.templates.iter().filter(can_be).collect();
    let child = children[round / 2 % children.len()];
    let path = child.path(&Set::Operator.namespace(cluster), &name(cluster));
    let is_deletion = round.is_multiple_of(2);
    if is_deletion {
        bench.api.delete(&path).await?;
    } else {
        // A field that every kind has and the operator owns.
        let change = json!({"metadata": {"labels": {"app.kubernetes.io/component": "spoilt"}}});
        bench.api.merge(&path, &change).await?;
    }
    Ok((path, is_deletion))
}

/// By child, the time from its damage to the operator's repair, both as answered by the API server.
fn repairs(entries: &[Entry]) -> HashMap<String, i64> {
    let mut spoilt = HashMap::new();
    let mut repaired = HashMap::new();
    let mut in_order: Vec<&Entry> = entries.iter().filter(|entry| entry.is_of_child()).collect();
    // Sorted by arrival: an answer may come after the effect of its request.
    in_order.sort_by_key(|entry| entry.received);
    for entry in in_order {
        match entry.agent {
            Agent::Bench => {
                spoilt.insert(&entry.path, entry.answered);
            }
            Agent::Operator if entry.code < 300 => {
                if let Some(at) = spoilt.remove(&entry.path) {
                    repaired.insert(entry.path.clone(), entry.answered - at);
                }
            }
            Agent::Operator | Agent::Other => {}
        }
    }
    repaired
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(agent: Agent, verb: &str, path: &str, answered: i64) -> Entry {
        Entry {
            agent,
            verb: verb.into(),
            resource: "services".into(),
            namespace: "bench-000".into(),
            name: path.into(),
            path: path.into(),
            code: 200,
            received: answered - 1,
            answered,
        }
    }

    #[test]
    fn a_repair_is_the_operators_first_write_after_the_spoiling() {
        let entries = [
            entry(Agent::Operator, "patch", "/a", 5),
            entry(Agent::Operator, "patch", "/b", 45),
            entry(Agent::Bench, "delete", "/a", 10),
            entry(Agent::Bench, "patch", "/b", 20),
            entry(Agent::Operator, "patch", "/a", 30),
            entry(Agent::Operator, "patch", "/a", 90),
        ];

        assert_eq!(repairs(&entries), HashMap::from([("/a".into(), 20), ("/b".into(), 25)]));
        assert_eq!(repairs(&entries[..3]), HashMap::new());
    }
}
