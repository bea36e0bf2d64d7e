//! The content of /metrics while the operator works.

use serde_json::json;

use super::process::Operator;
use super::proxy::Proxy;
use crate::support::{Kind, SOON};

#[tokio::test]
async fn the_metrics_count_the_work_of_the_operator() {
    let ns = super::namespace("metrics").await;
    let way = Proxy::new(&ns, "operator").await;
    let operator = Operator::start(&ns, "operator", &way);
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;

    lobby.child(Kind::Service, "-redis").delete().await;

    for wanted in [
        "chatcluster_leader 1",
        "chatcluster_drift_repaired_total{kind=\"Service\"} 1",
        "chatcluster_writes_total{kind=\"Deployment\",outcome=\"created\"} 1",
        "chatcluster_api_requests_total{verb=\"patch\",resource=\"deployments\",code=\"201\"} 1",
        "chatcluster_api_requests_total{verb=\"create\",resource=\"leases\",code=\"201\"} 1",
        "chatcluster_clusters{condition=\"HubReady\",status=\"True\",reason=\"Ready\"} 1",
        "chatcluster_reconcile_queue_depth 0",
    ] {
        ns.eventually(SOON, wanted, async || match operator.get("/metrics").await? {
            (200, text) if text.lines().any(|line| line == wanted) => Ok(()),
            (code, text) => Err(format!("{code}: {text}")),
        })
        .await;
    }
}
