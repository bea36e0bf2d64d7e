//! The operator as a process: it is started as its Deployment starts it, ended as Kubernetes ends it, and its
//! costs are read from `/proc`.

use crate::wait::until;
use anyhow::{Context, Result, ensure};
use serde::Serialize;
use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

/// The port of its metrics and probes, as in its Deployment.
const PORT: u16 = 8080;
/// The longest wait for the operator to be ready, or to end.
const PATIENCE: Duration = Duration::from_mins(2);

pub(crate) struct Operator {
    child: Child,
    pid: u32,
}

/// Processor time and memory that a process has used.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    pub(crate) rss_mib: f64,
    /// The part of it that is not backed by a file
    pub(crate) anonymous_mib: f64,
    pub(crate) peak_mib: f64,
}

impl Operator {
    /// Starts it, and returns at once. The environment already is that of its Deployment.
    pub(crate) fn start(program: &Path, kubeconfig: &Path, log: &Path) -> Result<Self> {
        let log = File::options().create(true).append(true).open(log).context("the operator's log")?;
        // The kernel kills it when this process ends, for whatever reason.
        let child = Command::new("setpriv")
            .args(["--pdeathsig", "KILL", "--"])
            .arg(program)
            .env("KUBECONFIG", kubeconfig)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .kill_on_drop(true)
            .spawn()
            .context("cannot start the operator")?;
        let pid = child.id().context("the operator ended at once")?;
        Ok(Self { child, pid })
    }

    /// Waits until its readiness probe succeeds.
    pub(crate) async fn is_ready(&mut self) -> Result<()> {
        until("the operator is ready", PATIENCE, Duration::from_millis(20), async || {
            ensure!(self.child.try_wait()?.is_none(), "the operator ended: its log says why");
            let answer = get("/readyz").await.unwrap_or_default();
            Ok(answer.starts_with("HTTP/1.1 200").then_some(()))
        })
        .await
    }

    /// Sends SIGTERM, and waits until it has ended.
    pub(crate) async fn end(mut self) -> Result<()> {
        let kill = Command::new("kill").arg(self.pid.to_string()).status().await?;
        ensure!(kill.success(), "the operator had ended: its log says why");
        tokio::time::timeout(PATIENCE, self.child.wait()).await.context("the operator does not end")??;
        Ok(())
    }

    pub(crate) fn usage(&self) -> Result<Usage> {
        let read = |file: &str| fs::read_to_string(format!("/proc/{}/{file}", self.pid));
        let usage = usage(&read("stat")?, &read("status")?);
        usage.context("the operator's figures in /proc")
    }

    /// The counters of its metrics.
    pub(crate) async fn counts(&self) -> Result<Counts> {
        Ok(counts(&get("/metrics").await?))
    }
}

/// Reads `/proc/PID/stat` and `/proc/PID/status`.
fn usage(stat: &str, status: &str) -> Option<Usage> {
    // The program's name, in brackets, may contain spaces.
    let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
    // utime and stime are the 14th and 15th of all fields, in ticks of 10 ms.
    let ticks: f64 = fields.get(11)?.parse::<f64>().ok()? + fields.get(12)?.parse::<f64>().ok()?;
    let kib = |name: &str| -> Option<f64> {
        status.lines().find_map(|line| line.strip_prefix(name)?.split_whitespace().next()?.parse().ok())
    };
    Some(Usage {
        cpu_seconds: ticks / 100.0,
        rss_mib: kib("VmRSS:")? / 1024.0,
        anonymous_mib: kib("RssAnon:")? / 1024.0,
        peak_mib: kib("VmHWM:")? / 1024.0,
    })
}

/// The operator's own figures of its work.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Counts {
    /// Clusters that the operator has reconciled at least once
    pub(crate) judged: f64,
    /// Clusters that are ready
    pub(crate) ready: f64,
    pub(crate) queued: f64,
    pub(crate) reconciles: f64,
}

fn counts(text: &str) -> Counts {
    let mut counts = Counts::default();
    for line in text.lines() {
        let Some((name, value)) = line.rsplit_once(' ') else { continue };
        let value: f64 = value.parse().unwrap_or_default();
        match name {
            "chatcluster_reconcile_queue_depth" => counts.queued = value,
            "chatcluster_reconciles_total" => counts.reconciles = value,
            _ if name.starts_with("chatcluster_clusters{") && name.contains("condition=\"Ready\"") => {
                if name.contains("status=\"True\"") {
                    counts.ready += value;
                }
                if !name.contains("reason=\"NotReconciled\"") {
                    counts.judged += value;
                }
            }
            _ => {}
        }
    }
    counts
}

async fn get(path: &str) -> Result<String> {
    let mut stream = TcpStream::connect(("127.0.0.1", PORT)).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    Ok(answer)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clusters_are_counted_by_their_readiness() {
        let text = "HTTP/1.1 200 OK\r\n\r\n# TYPE chatcluster_clusters gauge\n\
             chatcluster_clusters{condition=\"Ready\",status=\"True\",reason=\"Ready\"} 3\n\
             chatcluster_clusters{condition=\"Ready\",status=\"False\",reason=\"Starting\"} 2\n\
             chatcluster_clusters{condition=\"Ready\",status=\"Unknown\",reason=\"NotReconciled\"} 4\n\
             chatcluster_clusters{condition=\"HubReady\",status=\"True\",reason=\"Ready\"} 9\n\
             chatcluster_reconcile_queue_depth 7\nchatcluster_reconciles_total 11\n# EOF\n";

        assert_eq!(counts(text), Counts { judged: 5.0, ready: 3.0, queued: 7.0, reconciles: 11.0 });
    }

    #[test]
    fn a_process_is_read_whatever_its_name() {
        let stat = "7 (a b) c) S 1 7 7 0 -1 4194560 9 0 0 0 250 50 0 0 20 0";
        let status = "Name:\ta\nVmHWM:\t  20480 kB\nVmRSS:\t  10240 kB\nRssAnon:\t5120 kB\n";

        let usage = usage(stat, status).unwrap();

        let figures =
            [usage.cpu_seconds, usage.rss_mib, usage.anonymous_mib, usage.peak_mib].map(|n| n.to_string());
        assert_eq!(figures, ["3", "10", "5", "20"]);
    }
}
