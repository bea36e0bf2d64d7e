//! One run: the phases in their order, each of which prints a line.

use crate::api::{Api, for_each};
use crate::audit::Audit;
use crate::names::Set;
use crate::objects::Template;
use crate::operator::Operator;
use crate::pods::Pods;
use crate::{churn, create, delete, drift, floor, redis, rest, restart};
use anyhow::{Result, bail};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::{Duration, Instant};

/// What `cargo xtask bench operator` does to an operator
#[derive(clap::Parser, Clone)]
#[allow(clippy::struct_excessive_bools)] // flags, each of which means something by itself
#[command(name = "chatcluster-bench-operator", version)]
pub(crate) struct Options {
    /// The operator's program
    #[arg(long)]
    pub(crate) operator: PathBuf,
    /// Where the operator's service account is
    #[arg(long)]
    pub(crate) operator_kubeconfig: PathBuf,
    /// Where ours is
    #[arg(long)]
    pub(crate) kubeconfig: PathBuf,
    /// Where the operator's log goes
    #[arg(long)]
    pub(crate) operator_log: PathBuf,
    /// The API server's
    #[arg(long)]
    pub(crate) audit_log: PathBuf,
    /// How many clusters
    #[arg(long)]
    pub(crate) clusters: usize,
    /// No controller makes pods
    #[arg(long)]
    pub(crate) without_pods: bool,
    /// Only what is counted: no floor, nothing spoilt or deleted
    #[arg(long)]
    pub(crate) counts_only: bool,
    /// No floor, and nothing deleted
    #[arg(long)]
    pub(crate) without_floor: bool,
    /// Clusters are made and deleted, and nothing else is done to them
    #[arg(long)]
    pub(crate) create_only: bool,
    /// How long nothing happens
    #[arg(long)]
    pub(crate) rest_seconds: u64,
    /// How many children are spoilt, one after the other
    #[arg(long, default_value_t = 100)]
    pub(crate) drifts: usize,
    /// How long specs change
    #[arg(long, default_value_t = 120)]
    pub(crate) churn_seconds: u64,
    /// Spec changes a second
    #[arg(long, default_value_t = 10)]
    pub(crate) churn_rate: u64,
}

/// What all phases work with.
pub(crate) struct Bench {
    pub(crate) options: Options,
    pub(crate) api: Api,
    pub(crate) audit: Audit,
    pub(crate) pods: Pods,
    /// A cluster's children
    pub(crate) templates: Vec<Template>,
}

impl Bench {
    /// Another process of the operator, under way.
    pub(crate) fn start(&self) -> Result<Operator> {
        let Options { operator, operator_kubeconfig, operator_log, .. } = &self.options;
        Operator::start(operator, operator_kubeconfig, operator_log)
    }

    pub(crate) fn clusters(&self) -> usize {
        self.options.clusters
    }

    /// How long what concerns all clusters may take at most: far longer than it does.
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

    fn print(&self, phase: &str, mut result: Value) {
        result["phase"] = phase.into();
        result["clusters"] = self.clusters().into();
        result["pods"] = (!self.options.without_pods).into();
        println!("{result}");
    }
}

pub(crate) async fn run(options: &Options) -> Result<()> {
    let api = Api::connect(&options.kubeconfig).await?;
    let audit = Audit::follow(&options.audit_log)?;
    let pods = Pods::default();
    let mut bench = Bench { options: options.clone(), api, audit, pods, templates: Vec::new() };
    if !options.without_pods {
        bench.pods = Pods::watch(&bench.api);
        redis::serve(bench.pods.clone()).await?;
    }
    let bench = &mut bench;
    if !options.counts_only {
        floor::capture(bench).await?;
    }
    let is_compared = !options.counts_only && !options.without_floor;
    if is_compared {
        bench.make_namespaces(Set::Floor.namespaces(bench.clusters())).await?;
        measure_floor(bench).await?;
    }
    bench.make_namespaces(Set::Operator.namespaces(bench.clusters())).await?;

    let mut operator = bench.start()?;
    operator.is_ready().await?;
    let created = create::create(bench, &operator).await?;
    bench.print("create", created);
    if !options.create_only {
        operator = look_after(bench, operator).await?;
    }
    if is_compared {
        let deleted = delete::delete(bench, &operator).await?;
        bench.print("delete", deleted);
    }
    operator.end().await?;
    // Once more: what a control plane has behind it changes how long it takes for the very same. Where there are so many clusters
    // that they go without pods, it takes too long.
    if is_compared && !options.without_pods {
        measure_floor(bench).await?;
    }
    Ok(())
}

/// All that is done to clusters that are there. Returns the operator that runs then.
async fn look_after(bench: &mut Bench, operator: Operator) -> Result<Operator> {
    let is_spoilt = !bench.options.counts_only;
    let rested = rest::rest(bench, &operator).await?;
    bench.print("rest", rested);
    if is_spoilt {
        let drifted = drift::idle(bench).await?;
        bench.print("drift", drifted);
        let drifted = drift::many(bench).await?;
        bench.print("drift many", drifted);
    }
    let (restarted, operator) = restart::restart(bench, operator).await?;
    bench.print("restart", restarted);
    if is_spoilt {
        let churned = churn::churn(bench, &operator).await?;
        bench.print("churn", churned);
    }
    Ok(operator)
}

async fn measure_floor(bench: &mut Bench) -> Result<()> {
    let floor = floor::create(bench).await?;
    bench.print("floor", floor);
    let floor = floor::delete(bench).await?;
    bench.print("floor delete", floor);
    Ok(())
}

/// Waits until the attempt gives a value.
pub(crate) async fn until<T>(
    what: &str,
    patience: Duration,
    pause: Duration,
    mut attempt: impl AsyncFnMut() -> Result<Option<T>>,
) -> Result<T> {
    let start = Instant::now();
    loop {
        if let Some(done) = attempt().await? {
            return Ok(done);
        }
        if start.elapsed() > patience {
            bail!("not within {} s: {what}", patience.as_secs());
        }
        tokio::time::sleep(pause).await;
    }
}
