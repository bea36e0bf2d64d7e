//! The metric that counts repairs by the kind of the child: one for each change and each deletion.

use std::collections::BTreeMap;

use serde_json::json;

use super::namespace;
use super::process::Operator;
use super::proxy::Proxy;
use crate::support::{Kind, SOON};

#[tokio::test]
async fn a_metric_counts_every_child_that_was_changed_or_deleted() {
    let ns = namespace("counted").await;
    let proxy = Proxy::new(&ns, "counting").await;
    let operator = Operator::start(&ns, "counting", &proxy);
    let lobby =
        ns.chat("lobby", json!({"hub": {"autoscaling": {}}, "service": {"publish": "Immediately"}})).await;
    lobby.has_all_children().await;
    let scaler = lobby.child(Kind::HorizontalPodAutoscaler, "-hub");
    ns.wait_for(&scaler, SOON).await;
    let children: Vec<_> = lobby.children().into_iter().chain([scaler]).collect();
    let mut expected = BTreeMap::new();

    for child in &children {
        let before = child.get().await["metadata"]["labels"].clone();
        child.edit(json!([{"op": "remove", "path": "/metadata/labels/app.kubernetes.io~1component"}])).await;
        ns.eventually(SOON, &format!("{child} has its label again"), async || {
            let now = child.seen().await?["metadata"]["labels"].clone();
            if now == before { Ok(()) } else { Err(now.to_string()) }
        })
        .await;
        let uid = child.uid().await;
        child.delete().await;
        ns.wait_for_another(child, &uid, SOON).await;
        *expected.entry(format!("{:?}", child.kind)).or_insert(0) += 2;
    }

    ns.eventually(SOON, "the metric has counted every repair", async || {
        let (_, metrics) = operator.get("/metrics").await?;
        let counted = repaired(&metrics);
        if counted == expected { Ok(()) } else { Err(format!("{counted:?}, expected {expected:?}")) }
    })
    .await;
}

/// The number of repairs by kind.
fn repaired(metrics: &str) -> BTreeMap<String, u64> {
    let series =
        metrics.lines().filter_map(|line| line.strip_prefix("chatcluster_drift_repaired_total{kind=\""));
    let count = |series: &str| {
        let (kind, count) = series.split_once("\"} ")?;
        Some((kind.to_owned(), count.parse().ok()?))
    };
    series.filter_map(count).collect()
}
