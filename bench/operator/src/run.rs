//! One run: the phases in their order, each of which prints a line.

use crate::api::Api;
use crate::audit::Audit;
use crate::bench::Bench;
use crate::names::Set;
use crate::operator::Operator;
use crate::options::Options;
use crate::pods::Pods;
use crate::{churn, create, delete, drift, floor, redis, rest, restart};
use anyhow::Result;

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
    // The floor is measured a second time, because the history of a control plane changes how long the very
    // same takes. With so many clusters that they go without pods, a second time would take too long.
    if is_compared && !options.without_pods {
        measure_floor(bench).await?;
    }
    Ok(())
}

/// The phases that need running clusters. Returns the operator that runs at their end.
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
