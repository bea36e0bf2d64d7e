//! The state that the phases of a run share: options, the API server, the audit log, pods, and templates of a
//! cluster's children.

use crate::api::{Api, for_each};
use crate::audit::Audit;
use crate::objects::Template;
use crate::operator::Operator;
use crate::options::Options;
use crate::pods::Pods;
use anyhow::Result;
use serde_json::{Value, json};
use std::time::Duration;

/// The state that all phases share.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) api: Api,
    pub(crate) audit: Audit,
    pub(crate) pods: Pods,
    /// A cluster's children
    pub(crate) templates: Vec<Template>,
}

impl Bench {
    /// Starts another process of the operator.
    pub(crate) fn start(&self) -> Result<Operator> {
        let Options { operator, operator_kubeconfig, operator_log, .. } = &self.options;
        Operator::start(operator, operator_kubeconfig, operator_log)
    }

    pub(crate) fn clusters(&self) -> usize {
        self.options.clusters
    }

    /// The longest time that a step for all clusters may take: far longer than it does.
    pub(crate) fn patience(&self) -> Duration {
        Duration::from_mins(3)
            + Duration::from_millis(1500) * u32::try_from(self.clusters()).unwrap_or(u32::MAX)
    }

    pub(crate) async fn make_namespaces(&self, names: Vec<String>) -> Result<()> {
        for_each(names, |name| async move {
            let body = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
            self.api.create("/api/v1/namespaces", body.to_string().into_bytes()).await.map(drop)
        })
        .await
    }

    pub(crate) fn print(&self, phase: &str, mut result: Value) {
        result["phase"] = phase.into();
        result["clusters"] = self.clusters().into();
        result["pods"] = (!self.options.without_pods).into();
        println!("{result}");
    }
}
