//! `kubectl chat logs`: the logs of all pods of a cluster together. Each line carries the name of its pod.
//! Lines are sorted by time; with `-f` they are shown as they arrive, also from pods that start later.

use std::collections::HashMap;
use std::time::Duration;

use chatcluster_api::names::{Component, HUB_CONTAINER, INSTANCE, REDIS_CONTAINER};
use futures::{AsyncBufReadExt as _, StreamExt as _, TryStreamExt as _, future};
use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use kube::api::LogParams;
use kube::runtime::{WatchStreamExt as _, watcher};
use tokio::sync::mpsc;
use tokio::time::sleep;

use crate::cluster::Cluster;
use crate::fault::Fault;
use crate::read::{part, pods};
use crate::text::{Paint, Tone, print};

/// The pause before an interrupted log is followed again.
const PAUSE: Duration = Duration::from_secs(1);

#[derive(clap::Args, Debug)]
#[allow(clippy::struct_excessive_bools, reason = "flags of a command line")]
pub(crate) struct Options {
    /// The ChatCluster
    name: String,
    /// Keep running, and show new lines as they are logged
    #[arg(short, long)]
    follow: bool,
    /// Only the hubs
    #[arg(long)]
    hub: bool,
    /// Only Redis
    #[arg(long)]
    redis: bool,
    /// Only the last lines of each pod
    #[arg(long, value_name = "LINES")]
    tail: Option<i64>,
    /// Only lines that are not older than this, such as 5m
    #[arg(long, value_parser = crate::text::duration, value_name = "DURATION")]
    since: Option<Duration>,
    /// The logs of the containers before their last restart
    #[arg(short, long, conflicts_with = "follow")]
    previous: bool,
}

/// A line of a log, with its time and its pod.
#[derive(Clone, Debug, PartialEq)]
struct Line {
    at: Option<Timestamp>,
    pod: String,
    text: String,
}

impl Options {
    fn wants(&self, part: Component) -> bool {
        match part {
            Component::Hub => self.hub || !self.redis,
            Component::Backplane => self.redis || !self.hub,
        }
    }

    fn params(&self, part: Component) -> LogParams {
        LogParams {
            container: Some(container(part).to_owned()),
            follow: self.follow,
            previous: self.previous,
            tail_lines: self.tail,
            since_seconds: self.since.map(|since| i64::try_from(since.as_secs()).unwrap_or(i64::MAX).max(1)),
            timestamps: true,
            ..LogParams::default()
        }
    }
}

fn container(part: Component) -> &'static str {
    match part {
        Component::Hub => HUB_CONTAINER,
        Component::Backplane => REDIS_CONTAINER,
    }
}

pub(crate) async fn run(options: &Options, cluster: &Cluster, paint: Paint) -> Result<(), Fault> {
    cluster.chat(&options.name).await?;
    let mut out = Out { paint, seen: Vec::new(), width: 0 };
    if options.follow {
        follow(options, cluster, &mut out).await
    } else {
        show(options, cluster, &mut out).await
    }
}

async fn show(options: &Options, cluster: &Cluster, out: &mut Out) -> Result<(), Fault> {
    let mut logs = Vec::new();
    for part in [Component::Hub, Component::Backplane].into_iter().filter(|part| options.wants(*part)) {
        for pod in pods(cluster, &options.name, part).await? {
            let name = pod.name_any();
            out.meet(&name);
            logs.push(read(cluster, name, options.params(part)));
        }
    }
    if logs.is_empty() {
        let name = &options.name;
        return Err(Fault::No(format!("{name} has no such pods; see: kubectl chat status {name}")));
    }
    let mut lines = Vec::new();
    for log in future::join_all(logs).await {
        match log {
            Ok(more) => lines.extend(more),
            // A container that has not started yet, or never restarted, does not hide the logs of the others.
            Err(fault @ Fault::Failed { .. }) => eprintln!("{fault}"),
            Err(fault) => return Err(fault),
        }
    }
    lines.sort_by_key(|line| line.at);
    for line in &lines {
        out.write(line);
    }
    Ok(())
}

async fn read(cluster: &Cluster, pod: String, params: LogParams) -> Result<Vec<Line>, Fault> {
    let text = cluster.api::<Pod>().logs(&pod, &params).await;
    let text = text.map_err(|e| Fault::of(format!("read the log of pod {pod}"), &e))?;
    Ok(text.lines().map(|line| parse(&pod, line)).collect())
}

/// Parses a line of the kubelet, which begins with the time.
fn parse(pod: &str, line: &str) -> Line {
    let (time, text) = line.split_once(' ').unwrap_or((line, ""));
    match time.parse() {
        Ok(at) => Line { at: Some(at), pod: pod.to_owned(), text: text.to_owned() },
        Err(_) => Line { at: None, pod: pod.to_owned(), text: line.to_owned() },
    }
}

/// A message from a task that follows a log.
enum News {
    Line(Line),
    /// The log of this container of this pod ended, or broke off
    Ended(String, String),
}

async fn follow(options: &Options, cluster: &Cluster, out: &mut Out) -> Result<(), Fault> {
    let labels = format!("app.kubernetes.io/name=chatcluster,{INSTANCE}={}", options.name);
    let pods = watcher(cluster.api::<Pod>(), watcher::Config::default().labels(&labels));
    let mut pods = pods.default_backoff().applied_objects().boxed();
    let (tell, mut news) = mpsc::channel(256);
    let mut reading: HashMap<String, String> = HashMap::new(); // container id by pod
    let mut latest: HashMap<String, Timestamp> = HashMap::new();
    loop {
        tokio::select! {
            pod = pods.next() => match pod {
                Some(Ok(pod)) => {
                    let Some(part) = part(&pod).filter(|part| options.wants(*part)) else { continue };
                    let (name, Some(id)) = (pod.name_any(), running(&pod, container(part))) else { continue };
                    if reading.get(&name) == Some(&id) {
                        continue;
                    }
                    out.meet(&name);
                    reading.insert(name.clone(), id.clone());
                    let mut params = options.params(part);
                    if let Some(since) = latest.get(&name) {
                        params = LogParams { since_time: Some(*since), since_seconds: None, tail_lines: None, ..params };
                    }
                    tokio::spawn(along(cluster.clone(), name, id, params, latest.get(&pod.name_any()).copied(), tell.clone()));
                }
                Some(Err(watcher::Error::InitialListFailed(error) | watcher::Error::WatchStartFailed(error)))
                    if crate::fault::is_forbidden(&error) => return Err(Fault::of("watch pods", &error)),
                Some(Err(_)) => {} // the watch retries by itself
                None => return Ok(()),
            },
            Some(told) = news.recv() => match told {
                News::Line(line) => {
                    if let Some(at) = line.at {
                        latest.insert(line.pod.clone(), at);
                    }
                    out.write(&line);
                }
                News::Ended(pod, id) => {
                    // If the container still runs, only the connection broke, and no event of the watch would
                    // tell.
                    let still = cluster.api::<Pod>().get_opt(&pod).await.ok().flatten();
                    let part = still.as_ref().and_then(part).filter(|_| reading.get(&pod) == Some(&id));
                    if let (Some(still), Some(part)) = (still, part)
                        && running(&still, container(part)).as_ref() == Some(&id)
                    {
                        let since = latest.get(&pod).copied();
                        let params = LogParams { since_time: since, since_seconds: None, tail_lines: None, ..options.params(part) };
                        tokio::spawn(along(cluster.clone(), pod, id, params, since, tell.clone()));
                    }
                }
            },
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

/// Follows one container's log to its end. Lines up to `seen` have been shown: `since_time` counts in whole
/// seconds.
async fn along(
    cluster: Cluster,
    pod: String,
    id: String,
    params: LogParams,
    seen: Option<Timestamp>,
    tell: mpsc::Sender<News>,
) {
    if let Ok(log) = cluster.api::<Pod>().log_stream(&pod, &params).await {
        let mut lines = log.lines();
        while let Ok(Some(text)) = lines.try_next().await {
            let line = parse(&pod, &text);
            if (line.at.is_none() || line.at > seen) && tell.send(News::Line(line)).await.is_err() {
                return;
            }
        }
    }
    sleep(PAUSE).await;
    let _ = tell.send(News::Ended(pod, id)).await;
}

/// The container's id, while it runs.
fn running(pod: &Pod, container: &str) -> Option<String> {
    let statuses = pod.status.as_ref()?.container_statuses.as_ref()?;
    let status = statuses.iter().find(|status| status.name == container)?;
    status.state.as_ref()?.running.as_ref()?;
    status.container_id.clone()
}

/// The output: each pod has a colour, and the column of names is as wide as the longest so far.
struct Out {
    paint: Paint,
    seen: Vec<String>,
    width: usize,
}

impl Out {
    fn meet(&mut self, pod: &str) {
        if !self.seen.iter().any(|seen| seen == pod) {
            self.seen.push(pod.to_owned());
            self.width = self.width.max(pod.len());
        }
    }

    fn write(&self, line: &Line) {
        print(&self.line(line));
    }

    fn line(&self, line: &Line) -> String {
        let nth = self.seen.iter().position(|seen| *seen == line.pod).unwrap_or(0);
        let name = format!("{:width$}", line.pod, width = self.width);
        format!("{}  {}\n", self.paint.paint(Tone::Nth(nth), &name), line.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_parted_from_its_time_and_one_without_time_stays_whole() {
        let line = parse("hub-a", "2026-01-02T03:04:05.6789Z it works");

        assert_eq!((line.text.as_str(), line.at), ("it works", "2026-01-02T03:04:05.6789Z".parse().ok()));
        assert_eq!(parse("hub-a", "unable to read").text, "unable to read");
        assert_eq!(parse("hub-a", "2026-01-02T03:04:05Z").text, "");
    }

    #[test]
    fn names_are_aligned_and_each_pod_has_its_colour() {
        let mut out = Out { paint: Paint::ALWAYS, seen: Vec::new(), width: 0 };
        out.meet("hub-a");
        out.meet("redis-0");

        assert_eq!(out.line(&parse("hub-a", "2026-01-02T03:04:05Z hi")), "\x1b[36mhub-a  \x1b[0m  hi\n");
        assert_eq!(out.line(&parse("redis-0", "2026-01-02T03:04:05Z ok")), "\x1b[35mredis-0\x1b[0m  ok\n");
    }

    #[test]
    fn both_parts_are_shown_unless_one_is_named() {
        let options = |hub, redis| Options {
            name: "x".into(),
            follow: false,
            hub,
            redis,
            tail: None,
            since: None,
            previous: false,
        };

        assert!(
            options(false, false).wants(Component::Hub) && options(false, false).wants(Component::Backplane)
        );
        assert!(
            options(true, false).wants(Component::Hub) && !options(true, false).wants(Component::Backplane)
        );
        assert!(options(true, true).wants(Component::Hub) && options(true, true).wants(Component::Backplane));
    }
}
