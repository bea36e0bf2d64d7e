//! Phase "churn": specs change all the time, and each change is followed until it has reached its child.

use crate::audit::{Agent, Entry, now};
use crate::bench::Bench;
use crate::figures::{by_kind, milliseconds};
use crate::names::{Set, cluster_of, name, path};
use crate::operator::Operator;
use crate::reference::ReferenceWrite;
use crate::wait::until;
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::time::Duration;
use tokio::time::{Instant, interval_at};

pub(crate) async fn churn(bench: &mut Bench, operator: &Operator) -> Result<Value> {
    let mut reference = ReferenceWrite::new(bench)?;
    let round_trip = reference.round_trip(&bench.api).await?;
    bench.audit.catch_up(&bench.api).await?;
    let (place, before) = (bench.audit.len(), operator.usage()?);
    let (rate, seconds, clusters) = (bench.options.churn_rate, bench.options.churn_seconds, bench.clusters());
    let (mut queue, mut meanwhile) = (Vec::new(), Vec::new());
    let (start, pause) = (Instant::now(), Duration::from_secs(1) / u32::try_from(rate)?);
    let changing = async {
        let mut changes = tokio::task::JoinSet::new();
        let mut due = interval_at(start, pause);
        for change in 0..rate * seconds {
            due.tick().await;
            let (api, cluster) = (bench.api.clone(), usize::try_from(change)? % clusters);
            changes.spawn(async move {
                let annotations = json!({"bench.chatcluster.dev/change": change.to_string()});
                api.merge(&path(cluster), &json!({"spec": {"service": {"annotations": annotations}}})).await
            });
            if change % rate == 0 {
                queue.push(operator.counts().await?.queued);
            }
        }
        while let Some(changed) = changes.join_next().await {
            changed??;
        }
        anyhow::Ok(())
    };
    // The comparable writes are sent halfway between two changes.
    let beside = async {
        let mut due = interval_at(start + pause / 2, pause);
        for _ in 0..rate * seconds {
            due.tick().await;
            meanwhile.push(reference.make(&bench.api).await?);
        }
        Ok(())
    };
    tokio::try_join!(changing, beside)?;
    let wanted = usize::try_from(rate * seconds)?;
    let what = "every change has reached its child";
    let took = until(what, Duration::from_mins(2), Duration::from_millis(100), async || {
        bench.audit.read()?;
        let took = followed(bench.audit.since(place));
        Ok((took.len() >= wanted).then_some(took))
    })
    .await?;
    let after = operator.usage()?;
    let end = now();
    crate::create::settle(bench, operator, clusters, end).await?;
    let requests = bench.audit.of_operator(place).filter(|entry| Set::Operator.has(&entry.namespace));
    Ok(json!({
        "changes": wanted,
        "round_trip_ms": round_trip,
        "round_trip_meanwhile_ms": milliseconds(meanwhile),
        "ms": milliseconds(took.iter().map(Followed::took)),
        "reached_ms": milliseconds(took.iter().map(|followed| followed.received - followed.changed)),
        "write_ms": milliseconds(took.iter().map(|followed| followed.answered - followed.received)),
        "queue_most": queue.iter().copied().fold(0.0, f64::max),
        "queue_last": queue.last(),
        "requests": by_kind(requests),
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "after": after,
    }))
}

/// A spec change that has reached its child. Times are those of [`Entry`].
#[derive(Debug, PartialEq, Eq)]
struct Followed {
    /// When the spec change was answered
    changed: i64,
    /// When the API server received the operator's write
    received: i64,
    /// When the API server answered the operator's write
    answered: i64,
}

impl Followed {
    fn took(&self) -> i64 {
        self.answered - self.changed
    }
}

/// Pairs each spec change with the operator's write to that cluster's public Service. A change that a later
/// change of the same cluster overtook counts as followed together with the later one.
fn followed(entries: &[Entry]) -> Vec<Followed> {
    let mut open: HashMap<usize, Vec<i64>> = HashMap::new();
    let mut took = Vec::new();
    let mut in_order: Vec<&Entry> = entries.iter().filter(|entry| entry.is_write()).collect();
    // Sorted by arrival: an answer may come after the effect of its request.
    in_order.sort_by_key(|entry| entry.received);
    for entry in in_order {
        let Some(cluster) = cluster_of(&entry.name).filter(|cluster| name(*cluster) == entry.name) else {
            continue;
        };
        match (entry.agent, entry.resource.as_str()) {
            (Agent::Bench, "chatclusters") => open.entry(cluster).or_default().push(entry.answered),
            (Agent::Operator, "services") if entry.code < 300 => {
                let changes = open.remove(&cluster).unwrap_or_default();
                let Entry { received, answered, .. } = *entry;
                took.extend(changes.into_iter().map(|changed| Followed { changed, received, answered }));
            }
            _ => {}
        }
    }
    took
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(agent: Agent, resource: &str, name: &str, answered: i64) -> Entry {
        Entry {
            agent,
            verb: "patch".into(),
            resource: resource.into(),
            namespace: "bench-000".into(),
            name: name.into(),
            path: format!("/{resource}/{name}"),
            code: 200,
            received: answered - 1,
            answered,
        }
    }

    #[test]
    fn a_change_has_followed_when_its_own_service_has_changed() {
        let entries = [
            entry(Agent::Bench, "chatclusters", "c00001", 10),
            entry(Agent::Bench, "chatclusters", "c00002", 12),
            entry(Agent::Operator, "services", "c00001-redis", 13),
            entry(Agent::Operator, "services", "c00002", 20),
            entry(Agent::Operator, "services", "c00001", 25),
            entry(Agent::Operator, "chatclusters/status", "c00001", 30),
        ];

        let first = Followed { changed: 12, received: 19, answered: 20 };
        let second = Followed { changed: 10, received: 24, answered: 25 };
        assert_eq!(first.took(), 8);
        assert_eq!(followed(&entries), [first, second]);
    }
}
