//! `--watch`: a change on the API server triggers another look. On a terminal the text is redrawn, also
//! because ages grow; elsewhere each change is printed once.

use std::time::Duration;

use chatcluster_api::names::INSTANCE;
use futures::stream::{BoxStream, SelectAll, StreamExt as _, select_all};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{Pod, Service};
use k8s_openapi::jiff::Timestamp;
use kube::Resource;
use kube::core::{NamespaceResourceScope, PartialObjectMeta};
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::time::{Instant, sleep, timeout_at};

use super::options::Options;
use super::shown::{Shown, look};
use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::text::{self, Paint, Tone};

/// The wait after a change, so that changes that belong together are shown together.
const SETTLE: Duration = Duration::from_millis(150);
/// The longest time between two looks: not everything that is shown is watched, and some users may not watch.
const LATEST: Duration = Duration::from_secs(5);
/// The interval at which ages are redrawn.
const TICK: Duration = Duration::from_secs(1);

type Changes = SelectAll<BoxStream<'static, ()>>;

pub(super) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    let live = text::is_terminal() && options.output.is_none();
    let mut changes = watch(options, cluster);
    let mut shown = look(options, cluster).await?;
    show(&shown, options, paint, live, None)?;
    loop {
        let mut trouble = None;
        wait(&mut changes, || if live { show(&shown, options, paint, live, None) } else { Ok(()) }).await?;
        match look(options, cluster).await {
            Ok(now) if now == shown && !live => continue,
            Ok(now) => shown = now,
            Err(fault @ (Fault::Unreachable(_) | Fault::Failed { .. })) => trouble = Some(fault.to_string()),
            Err(fault) => return Err(fault),
        }
        if live || trouble.is_none() {
            show(&shown, options, paint, live, trouble.as_deref())?;
        } else if let Some(trouble) = trouble {
            eprintln!("{trouble}; trying again");
        }
    }
}

/// Waits for a change, and for the changes that come with it.
async fn wait(changes: &mut Changes, mut tick: impl FnMut() -> Result<(), Fault>) -> Result<(), Fault> {
    let latest = Instant::now() + LATEST;
    loop {
        let next = (Instant::now() + TICK).min(latest);
        match timeout_at(next, changes.next()).await {
            Ok(Some(())) => break,
            Ok(None) | Err(_) if Instant::now() >= latest => return Ok(()),
            Ok(None) => tokio::time::sleep_until(next).await,
            Err(_) => tick()?,
        }
    }
    sleep(SETTLE).await;
    while timeout_at(Instant::now(), changes.next()).await.is_ok_and(|change| change.is_some()) {}
    Ok(())
}

fn show(
    shown: &Shown,
    options: &Options,
    paint: Paint,
    live: bool,
    trouble: Option<&str>,
) -> Result<(), Fault> {
    let text = shown.write(options.output, paint, Timestamp::now())?;
    if !live {
        text::print(&format!("{text}{}", if options.output.is_none() { "\n" } else { "" }));
        return Ok(());
    }
    let trouble =
        trouble.map(|t| paint.paint(Tone::Bad, &format!("{t}; trying again\n"))).unwrap_or_default();
    // Cursor home, then each line over the former one, then clear below: no flicker.
    let body = format!("{text}{trouble}").replace('\n', "\x1b[K\n");
    text::print(&format!("\x1b[H{body}\x1b[J"));
    Ok(())
}

fn watch(options: &Options, cluster: &Cluster) -> Changes {
    if text::is_terminal() && options.output.is_none() {
        text::print("\x1b[2J");
    }
    let chats = if options.all_namespaces { cluster.all_chats() } else { cluster.chats() };
    let Some(name) = &options.name else {
        return select_all([any(watcher(chats, watcher::Config::default()))]);
    };
    let one = watcher::Config::default().fields(&format!("metadata.name={name}"));
    let labels = format!("app.kubernetes.io/name=chatcluster,{INSTANCE}={name}");
    select_all([
        any(watcher(chats, one)),
        of::<Pod>(cluster, &labels),
        of::<Deployment>(cluster, &labels),
        of::<StatefulSet>(cluster, &labels),
        of::<Service>(cluster, &labels),
    ])
}

fn of<K>(cluster: &Cluster, labels: &str) -> BoxStream<'static, ()>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()>
        + Clone
        + std::fmt::Debug
        + serde::de::DeserializeOwned
        + Send
        + 'static,
{
    any(watcher(cluster.api::<PartialObjectMeta<K>>(), watcher::Config::default().labels(labels)))
}

/// Turns a watch into a stream of changes without content. Errors are retried; a user who may not watch gets
/// a look every few seconds.
fn any<K>(
    events: impl futures::Stream<Item = Result<watcher::Event<K>, watcher::Error>> + Send + 'static,
) -> BoxStream<'static, ()>
where
    K: Send + 'static,
{
    let events = events.default_backoff();
    events.filter_map(async |event| event.ok().map(|_| ())).boxed()
}
