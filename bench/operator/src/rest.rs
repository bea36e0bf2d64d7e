//! Phase "rest": nothing happens, and the operator's requests and memory are measured.

use crate::bench::Bench;
use crate::figures::by_kind;
use crate::operator::Operator;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

pub(crate) async fn rest(bench: &mut Bench, operator: &Operator) -> Result<Value> {
    bench.audit.catch_up(&bench.api).await?;
    let (place, start, before) = (bench.audit.len(), Instant::now(), operator.usage()?);
    // The only wait without a condition.
    tokio::time::sleep(Duration::from_secs(bench.options.rest_seconds)).await;
    bench.audit.catch_up(&bench.api).await?;
    let after = operator.usage()?;
    Ok(json!({
        "seconds": start.elapsed().as_secs_f64(),
        "requests": by_kind(bench.audit.of_operator(place)),
        "writes": by_kind(bench.audit.of_operator(place).filter(|entry| entry.is_write())),
        "cpu_seconds": after.cpu_seconds - before.cpu_seconds,
        "after": after,
    }))
}
