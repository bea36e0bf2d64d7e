//! Phase "delete": every cluster is deleted, until nothing is left. Kubernetes' garbage collector does the
//! work.

use crate::api::for_each;
use crate::audit::now;
use crate::bench::Bench;
use crate::figures::{by_kind, seconds};
use crate::names::{Set, path};
use crate::operator::Operator;
use crate::wait::until;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::time::Duration;

/// Selects the objects of all clusters: each has this label.
const OURS: &str = "labelSelector=app.kubernetes.io/managed-by=chatcluster-operator&limit=1";

pub(crate) async fn delete(bench: &mut Bench, operator: &Operator) -> Result<Value> {
    bench.audit.catch_up(&bench.api).await?;
    let (place, start, before) = (bench.audit.len(), now(), operator.usage()?);
    let api = &bench.api;
    for_each(0..bench.clusters(), |cluster| async move { api.delete(&path(cluster)).await }).await?;
    all_gone(bench).await?;
    bench.audit.catch_up(&bench.api).await?;
    let after = operator.usage()?;
    let gone = deletions(bench, place, Set::Operator).context("nothing was deleted")?;
    let requests =
        by_kind(bench.audit.of_operator(place).filter(|entry| Set::Operator.has(&entry.namespace)));
    Ok(json!({
        "gone_s": seconds(gone - start),
        "requests": requests,
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "after": after,
    }))
}

/// Waits until no cluster has any child left.
pub(crate) async fn all_gone(bench: &Bench) -> Result<()> {
    let kinds: BTreeSet<String> = bench.templates.iter().map(crate::objects::Template::everywhere).collect();
    for kind in kinds.iter().map(String::as_str).chain(["/api/v1/pods"]) {
        let what = format!("{kind} are gone");
        until(&what, bench.patience(), Duration::from_millis(500), async || {
            let list = bench.api.get(&format!("{kind}?{OURS}")).await?;
            Ok(list["items"].as_array().is_some_and(Vec::is_empty).then_some(()))
        })
        .await?;
    }
    Ok(())
}

/// The time at which the last object of these clusters was deleted, whoever deleted it.
pub(crate) fn deletions(bench: &Bench, place: usize, of: Set) -> Option<i64> {
    let entries = bench.audit.since(place).iter();
    let deleted = entries.filter(|entry| entry.verb == "delete" && entry.code == 200);
    deleted.filter(|entry| of.has(&entry.namespace)).map(|entry| entry.answered).max()
}
