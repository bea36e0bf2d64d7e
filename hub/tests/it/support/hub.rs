//! A hub as a process of its own.

use std::net::SocketAddr;
use std::path::Path;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::process::{Child, Command};

use super::{Redis, signal, until, within};

pub(crate) struct HubProcess {
    process: Child,
    address: SocketAddr,
    log: Arc<Mutex<String>>,
}

/// The hub's binary with these arguments, without the test's environment, which could change its behaviour.
pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_chatcluster-hub"));
    command.args(arguments).env_clear().env("LOG_FORMAT", "json").env("RUST_LOG", "debug").kill_on_drop(true);
    command
}

impl HubProcess {
    /// A hub without Redis.
    pub(crate) async fn alone() -> Self {
        Self::alone_with(&[]).await
    }

    /// A hub without Redis, with these arguments.
    pub(crate) async fn alone_with(more: &[&str]) -> Self {
        Self::start(&[&["--pod-name", "hub-alone"], more].concat()).await
    }

    /// A ready hub that uses `redis`.
    pub(crate) async fn with(redis: &Redis, password_file: &Path, pod: &str) -> Self {
        let hub = Self::start_with(redis, password_file, pod, &[]).await;
        hub.ready().await;
        hub
    }

    /// A hub that uses `redis`, ready or not.
    pub(crate) async fn start_with(redis: &Redis, password_file: &Path, pod: &str, more: &[&str]) -> Self {
        let port = redis.port().to_string();
        let file = password_file.to_str().expect("the path is UTF-8");
        let arguments = ["--redis-server", "127.0.0.1", "--redis-port", &port, "--redis-password-file", file];
        Self::start(&[&arguments, ["--pod-name", pod].as_slice(), more].concat()).await
    }

    /// A hub without Redis, on a system whose processes start with this soft limit of file descriptors.
    pub(crate) async fn alone_of_few_descriptors(few: u32) -> Self {
        let mut shell = Command::new("/bin/sh");
        shell
            .arg("-c")
            .arg(format!("ulimit -S -n {few} && exec \"$0\""))
            .arg(env!("CARGO_BIN_EXE_chatcluster-hub"));
        Self::start_by(
            shell.env_clear().env("LOG_FORMAT", "json").env("RUST_LOG", "debug").kill_on_drop(true),
        )
        .await
    }

    async fn start(arguments: &[&str]) -> Self {
        Self::start_by(&mut command(arguments)).await
    }

    async fn start_by(command: &mut Command) -> Self {
        let mut process =
            command.env("HUB_LISTEN", "127.0.0.1:0").stderr(Stdio::piped()).spawn().expect("the hub starts");
        let mut lines = BufReader::new(process.stderr.take().expect("its log is a pipe")).lines();
        let log = Arc::new(Mutex::new(String::new()));
        let address = within("the hub listens", async {
            while let Some(line) = lines.next_line().await.expect("the log is readable") {
                note(&log, &line);
                let line: serde_json::Value = serde_json::from_str(&line).expect("a log line is JSON");
                if line["message"] == "listening" {
                    let address = line["address"].as_str().expect("the line has the address");
                    return address.parse().expect("an address");
                }
            }
            panic!("the hub ended: {}", log.lock().unwrap());
        })
        .await;
        let rest = Arc::clone(&log);
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                note(&rest, &line);
            }
        });
        Self { process, address, log }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hub", self.address)
    }

    /// The log so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// The resident memory, in bytes.
    pub(crate) fn memory(&self) -> u64 {
        1024 * self.status("VmRSS")
    }

    /// The size of the kernel's table of file descriptors.
    pub(crate) fn room_for_descriptors(&self) -> u64 {
        self.status("FDSize")
    }

    /// A number of `/proc/PID/status`, without its unit.
    fn status(&self, name: &str) -> u64 {
        let pid = self.process.id().expect("the hub runs");
        let status = std::fs::read_to_string(format!("/proc/{pid}/status")).expect("the hub runs");
        let lines = status.lines().filter_map(|line| line.split_once(':'));
        let (_, value) = lines.into_iter().find(|(key, _)| *key == name).expect("Linux has this field");
        value.trim().trim_end_matches(" kB").parse().expect("a number")
    }

    /// Fails the test if some part of the hub has panicked.
    pub(crate) fn has_not_panicked(&self) {
        let log = self.log();
        assert!(!log.contains("panic"), "{log}");
    }

    /// The status and text of a path, or `None` when nobody listens.
    pub(crate) async fn get(&self, path: &str) -> Option<(u16, String)> {
        let mut stream = TcpStream::connect(self.address).await.ok()?;
        let request = format!("GET {path} HTTP/1.1\r\nHost: hub\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.ok()?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.ok()?;
        let status = answer.split(' ').nth(1)?.parse().ok()?;
        Some((status, answer))
    }

    pub(crate) async fn ready(&self) {
        until("the hub is ready", async || self.get("/readyz").await.filter(|(status, _)| *status == 200))
            .await;
    }

    /// Waits until the hub is not ready for this reason, and returns the answer.
    pub(crate) async fn not_ready_because(&self, reason: &str) -> String {
        until(&format!("the hub is not ready: {reason}"), async || {
            let (status, answer) = self.get("/readyz").await?;
            (status == 503 && answer.contains(reason)).then_some(answer)
        })
        .await
    }

    /// The value of a metric.
    pub(crate) async fn metric(&self, name: &str) -> f64 {
        let (_, text) = self.get("/metrics").await.expect("the hub answers");
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("no metric {name} in {text}")).parse().expect("a metric is a number")
    }

    /// The number of connections.
    pub(crate) async fn connections(&self) -> f64 {
        self.metric("chatcluster_hub_connections").await
    }

    pub(crate) async fn terminate(&self) {
        signal(self.process.id().expect("the hub runs"), "TERM").await;
    }

    pub(crate) fn pid(&self) -> u32 {
        self.process.id().expect("the hub runs")
    }

    /// Kills the process, as a failing node would.
    pub(crate) async fn kill(&mut self) {
        within("the hub ends", self.process.kill()).await.expect("the hub can be killed");
    }

    pub(crate) async fn ended(&mut self) -> ExitStatus {
        within("the hub ends", self.process.wait()).await.expect("the hub's end can be seen")
    }
}

impl Drop for HubProcess {
    /// Prints the last lines of the log if the test fails.
    fn drop(&mut self) {
        if std::thread::panicking() {
            let log = self.log();
            let lines: Vec<_> = log.lines().collect();
            eprintln!("{}: …\n{}", self.address, lines[lines.len().saturating_sub(20)..].join("\n"));
        }
    }
}

fn note(log: &Mutex<String>, line: &str) {
    let mut log = log.lock().unwrap();
    log.push_str(line);
    log.push('\n');
}
