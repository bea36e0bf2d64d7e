//! Phase "restart": the operator ends and another one starts, with all clusters in place, until that one has
//! looked at each of them.

use crate::audit::now;
use crate::bench::Bench;
use crate::figures::{by_kind, seconds};
use crate::operator::Operator;
use crate::wait::until;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// The wait for late writes once each cluster has been looked at: the operator may delay a status update.
const AFTERWARDS: Duration = Duration::from_secs(12);

pub(crate) async fn restart(bench: &mut Bench, operator: Operator) -> Result<(Value, Operator)> {
    operator.end().await?;
    bench.audit.catch_up(&bench.api).await?;
    let (place, start) = (bench.audit.len(), now());
    let mut operator = bench.start()?;
    operator.is_ready().await?;
    let ready = now();
    let clusters = bench.clusters() as f64;
    // Each look at the metrics takes the operator a moment, the longer the more clusters it has.
    let pause = Duration::from_millis(50) + Duration::from_micros(50) * u32::try_from(bench.clusters())?;
    until("every cluster is looked at", bench.patience(), pause, async || {
        let counts = operator.counts().await?;
        Ok((counts.reconciles >= clusters && counts.queued == 0.0).then_some(()))
    })
    .await?;
    let caught_up = now();
    let usage = operator.usage()?;
    tokio::time::sleep(AFTERWARDS).await;
    bench.audit.catch_up(&bench.api).await?;
    let entries = || bench.audit.of_operator(place);
    let result = json!({
        "ready_s": seconds(ready - start),
        "caught_up_s": seconds(caught_up - start),
        "requests": by_kind(entries()),
        "lists": entries().filter(|entry| entry.verb == "list").count(),
        "writes": by_kind(entries().filter(|entry| entry.is_write())),
        "cpu_seconds": usage.cpu_seconds,
        "caught_up": usage,
        "after": operator.usage()?,
    });
    Ok((result, operator))
}
