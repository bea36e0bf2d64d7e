//! Phase "create": all clusters are created at once, until every child exists and the operator has nothing
//! left to do.

use crate::api::for_each;
use crate::audit::{Entry, now};
use crate::bench::Bench;
use crate::figures::{by_kind, milliseconds, seconds};
use crate::names::{Set, cluster_of, collection, name};
use crate::operator::Operator;
use crate::wait::until;
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

/// The time without a write, in microseconds, after which the operator counts as done: longer than the
/// longest delay of a status update.
const QUIET: i64 = 12_000_000;

/// A cluster as a user would create it. Nothing binds volumes here, and nothing assigns addresses.
pub(crate) fn cluster(bench: &Bench, namespace: &str, name: &str) -> Value {
    let mut spec = json!({"redis": {"persistence": "None"}, "service": {"type": "ClusterIP"}});
    if bench.options.without_pods {
        // Without pods no cluster is ever verified.
        spec["service"]["publish"] = "Immediately".into();
    }
    json!({
        "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
        "metadata": {"name": name, "namespace": namespace}, "spec": spec,
    })
}

pub(crate) async fn create(bench: &mut Bench, operator: &Operator) -> Result<Value> {
    bench.audit.catch_up(&bench.api).await?;
    let (place, before, start) = (bench.audit.len(), operator.usage()?, now());
    let reconciles = operator.counts().await?.reconciles;
    let clusters = bench.clusters();
    for_each(0..clusters, |cluster_| {
        let (namespace, api) = (Set::Operator.namespace(cluster_), &bench.api);
        let body = cluster(bench, &namespace, &name(cluster_)).to_string().into_bytes();
        async move { api.create(&collection(&namespace), body).await.map(drop) }
    })
    .await?;
    let asked = now();
    settle(bench, operator, clusters, start).await?;
    let after = operator.usage()?;
    let reconciles = operator.counts().await?.reconciles - reconciles;

    let entries: Vec<&Entry> =
        bench.audit.of_operator(place).filter(|entry| Set::Operator.has(&entry.namespace)).collect();
    let made = made(entries.iter().copied());
    let children = if bench.templates.is_empty() { made.len() / clusters } else { bench.templates.len() };
    ensure!(made.len() == clusters * children, "{} children were made of {clusters} clusters", made.len());
    let last = |public: bool| {
        made.iter().filter(|(child, _)| public || !child.public).map(|(_, at)| at - start).max().unwrap_or(0)
    };
    let settled = last_writes(entries.iter().copied());
    Ok(json!({
        "children": children,
        "asked_s": seconds(asked - start),
        "unconditional_s": seconds(last(false)),
        "children_s": seconds(last(true)),
        "settled_s": seconds(settled.values().max().context("nothing was written")? - start),
        "requests": by_kind(entries.iter().copied()),
        "failed": by_kind(entries.iter().copied().filter(|entry| entry.code >= 400)),
        "refused": entries.iter().filter(|entry| entry.code == 429).count(),
        "reconciles": reconciles,
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "before": before, "after": after,
        "memory_kib_per_cluster": (after.rss_mib - before.rss_mib) * 1024.0 / clusters as f64,
        "write_server_ms": milliseconds(
            entries.iter().filter(|e| e.has_created()).map(|e| e.answered - e.received)),
    }))
}

/// A child that was created.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Made {
    pub(crate) path: String,
    /// Whether it has its cluster's name, as the public Service has
    pub(crate) public: bool,
}

/// Each child, with the time at which it was first created.
pub(crate) fn made<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<Made, i64> {
    let mut made = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| entry.is_of_child() && entry.has_created()) {
        let path = if entry.verb == "create" {
            format!("{}/{}", entry.path, entry.name) // created in a collection
        } else {
            entry.path.clone()
        };
        let public = cluster_of(&entry.name).is_some_and(|cluster| name(cluster) == entry.name);
        made.entry(Made { path, public }).or_insert(entry.answered);
    }
    made
}

/// The time of the last write to each cluster, events aside.
fn last_writes<'a>(entries: impl IntoIterator<Item = &'a Entry>) -> BTreeMap<usize, i64> {
    let mut last = BTreeMap::new();
    for entry in entries.into_iter().filter(|entry| entry.is_write() && entry.resource != "events") {
        if let Some(cluster) = cluster_of(&entry.name) {
            let at = last.entry(cluster).or_insert(entry.answered);
            *at = entry.answered.max(*at);
        }
    }
    last
}

/// Waits until the operator has judged this many clusters (with pods: until they are ready) and writes
/// nothing more.
pub(crate) async fn settle(
    bench: &mut Bench,
    operator: &Operator,
    clusters: usize,
    since: i64,
) -> Result<()> {
    let patience = bench.patience();
    let mut last = since;
    until("the operator is done", patience, Duration::from_secs(1), async || {
        let from = bench.audit.read()?;
        let writes = bench.audit.of_operator(from).filter(|entry| entry.is_write());
        last = writes.map(|entry| entry.answered).max().unwrap_or(last).max(last);
        let counts = operator.counts().await?;
        let there = if bench.options.without_pods { counts.judged } else { counts.ready };
        #[allow(clippy::float_cmp)] // both are whole
        let done = there == clusters as f64 && counts.queued == 0.0 && now() - last > QUIET;
        Ok(done.then_some(()))
    })
    .await?;
    bench.audit.catch_up(&bench.api).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::audit::Agent;

    fn entry(verb: &str, resource: &str, name: &str, code: u16, answered: i64) -> Entry {
        Entry {
            agent: Agent::Operator,
            verb: verb.into(),
            resource: resource.into(),
            namespace: "bench-000".into(),
            name: name.into(),
            path: format!("/{resource}/{name}"),
            code,
            received: answered - 1,
            answered,
        }
    }

    #[test]
    fn a_child_is_made_once_however_often_it_is_written() {
        let entries = [
            entry("patch", "services", "c00001", 201, 5),
            entry("patch", "services", "c00001", 200, 9),
            entry("patch", "secrets", "c00001-redis-auth", 201, 7),
            entry("create", "events", "c00001.1", 201, 8),
            entry("patch", "chatclusters/status", "c00001", 200, 8),
        ];

        let made = made(&entries);

        let seen: Vec<_> = made.iter().map(|(child, at)| (child.path.as_str(), child.public, *at)).collect();
        assert_eq!(seen, [("/secrets/c00001-redis-auth", false, 7), ("/services/c00001", true, 5)]);
    }

    #[test]
    fn a_cluster_is_settled_by_its_last_write() {
        let entries = [
            entry("patch", "services", "c00001", 201, 5),
            entry("patch", "chatclusters/status", "c00001", 200, 8),
            entry("patch", "chatclusters/status", "c00002", 200, 6),
            entry("create", "events", "c00001.1", 201, 9),
        ];

        assert_eq!(last_writes(&entries), BTreeMap::from([(1, 8), (2, 6)]));
    }
}
