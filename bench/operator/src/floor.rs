//! The floor: a bare client that creates the very same objects, with as many requests at a time, while no
//! operator runs. It knows what to write before it begins, reads nothing, and waits only where the
//! publication of a Service has to wait.

use crate::api::{CONCURRENCY, for_each};
use crate::audit::{Agent, now};
use crate::bench::Bench;
use crate::create::{self, cluster, made};
use crate::delete::{all_gone, deletions};
use crate::figures::{by_kind, seconds};
use crate::names::{Set, collection, name};
use crate::objects::{Names, Template};
use anyhow::{Context, Result, ensure};
use futures::future::try_join_all;
use serde_json::{Value, json};
use std::time::Duration;
use tokio::sync::mpsc;

const NAME: &str = "captured";
const NAMESPACE: &str = "captured-in";

/// Has the operator create one cluster, and keeps its children as templates.
pub(crate) async fn capture(bench: &mut Bench) -> Result<()> {
    let place = bench.audit.len();
    let mut operator = bench.start()?;
    operator.is_ready().await?;
    bench.make_namespaces(vec![NAMESPACE.to_owned()]).await?;
    let body = cluster(bench, NAMESPACE, NAME).to_string().into_bytes();
    let made: Value = serde_json::from_slice(&bench.api.create(&collection(NAMESPACE), body).await?)?;
    let uid = made["metadata"]["uid"].as_str().context("a uid")?.to_owned();
    let names = Names { namespace: NAMESPACE.to_owned(), name: NAME.to_owned(), uid };
    create::settle(bench, &operator, 1, now()).await?;

    let children: Vec<(String, String)> = bench
        .audit
        .of_operator(place)
        .filter(|entry| entry.namespace == NAMESPACE && entry.is_of_child() && entry.has_created())
        .map(|entry| (entry.path.clone(), entry.resource.clone()))
        .collect();
    for (path, resource) in children {
        let object = bench.api.get(&path).await?;
        bench.templates.push(Template::new(&path, &resource, object, &names));
    }
    ensure!(bench.templates.iter().any(|child| child.is_public), "no public Service was made");
    bench.api.delete(&format!("{}/{NAME}", collection(NAMESPACE))).await?;
    all_gone(bench).await?;
    operator.end().await
}

/// Phase "floor": creates the objects of all clusters.
pub(crate) async fn create(bench: &mut Bench) -> Result<Value> {
    bench.audit.catch_up(&bench.api).await?;
    let (place, start, clusters) = (bench.audit.len(), now(), bench.clusters());
    let done = tokio::time::timeout(bench.patience(), make_all(bench)).await;
    done.context("the floor does not end")??;
    bench.audit.catch_up(&bench.api).await?;

    let ours = || {
        let entries = bench.audit.since(place).iter();
        entries.filter(|entry| entry.agent == Agent::Bench && Set::Floor.has(&entry.namespace))
    };
    let made = made(ours());
    ensure!(made.len() == clusters * bench.templates.len(), "the floor made {} children", made.len());
    let last = |public: bool| {
        made.iter().filter(|(child, _)| public || !child.public).map(|(_, at)| at - start).max().unwrap_or(0)
    };
    Ok(json!({
        "children": bench.templates.len(),
        "concurrency": CONCURRENCY,
        "unconditional_s": seconds(last(false)),
        "children_s": seconds(last(true)),
        "requests": by_kind(ours()),
    }))
}

async fn make_all(bench: &Bench) -> Result<()> {
    let at_once = |child: &&Template| bench.options.without_pods || !child.is_public;
    let (first, later): (Vec<_>, Vec<_>) = bench.templates.iter().partition(at_once);
    let (sender, mut receiver) = mpsc::unbounded_channel();
    let first = for_each(0..bench.clusters(), |cluster| {
        let (first, sender) = (&first, &sender);
        async move {
            let names = make_cluster(bench, cluster).await?;
            make(bench, first, &names).await?;
            sender.send(names).context("the channel is open")
        }
    });
    let later =
        async { if later.is_empty() { Ok(()) } else { make_later(bench, &later, &mut receiver).await } };
    tokio::try_join!(first, later).map(drop)
}

/// Creates the children that have to wait until their cluster's pods are ready.
async fn make_later(
    bench: &Bench,
    children: &[&Template],
    clusters: &mut mpsc::UnboundedReceiver<Names>,
) -> Result<()> {
    let pods = bench.templates.iter().map(|child| child.pods).sum();
    let mut waiting = Vec::new();
    let mut left = bench.clusters();
    while left > 0 {
        while let Ok(names) = clusters.try_recv() {
            waiting.push(names);
        }
        let is_ready = |of: &Names| bench.pods.ready(&of.namespace, &of.name) >= pods;
        let (ready, still): (Vec<_>, Vec<_>) = waiting.into_iter().partition(is_ready);
        waiting = still;
        left -= ready.len();
        for_each(ready, |names| async move { make(bench, children, &names).await }).await?;
        // Pods become ready meanwhile, and nothing notifies this task.
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    Ok(())
}

/// Phase "floor delete": deletes the clusters, and waits until the garbage collector has removed everything.
pub(crate) async fn delete(bench: &mut Bench) -> Result<Value> {
    bench.audit.catch_up(&bench.api).await?;
    let (place, start) = (bench.audit.len(), now());
    let api = &bench.api;
    for_each(0..bench.clusters(), |cluster| async move {
        let path = format!("{}/{}", collection(&Set::Floor.namespace(cluster)), name(cluster));
        api.delete(&path).await
    })
    .await?;
    all_gone(bench).await?;
    bench.audit.catch_up(&bench.api).await?;
    Ok(
        json!({"gone_s": seconds(deletions(bench, place, Set::Floor).context("nothing was deleted")? - start)}),
    )
}

/// Creates the `ChatCluster` itself, which no operator looks at.
async fn make_cluster(bench: &Bench, index: usize) -> Result<Names> {
    let namespace = Set::Floor.namespace(index);
    let body = cluster(bench, &namespace, &name(index)).to_string().into_bytes();
    let made = bench.api.create(&collection(&namespace), body).await?;
    let made: Value = serde_json::from_slice(&made)?;
    let uid = made["metadata"]["uid"].as_str().context("a uid")?.to_owned();
    Ok(Names { namespace, name: name(index), uid })
}

async fn make(bench: &Bench, children: &[&Template], names: &Names) -> Result<()> {
    let writes = children.iter().map(|child| async move {
        let (collection, body) = child.render(names);
        bench.api.create(&collection, body).await.map(drop)
    });
    try_join_all(writes).await.map(drop)
}
