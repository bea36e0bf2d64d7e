//! The real `@microsoft/signalr`, in a node process that `tests/client/driver.mjs` leads.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::SystemTime;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::within;

pub(crate) struct Client {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// What came while something else was waited for.
    earlier: Vec<Value>,
    last_id: u64,
    connection_id: String,
}

impl Client {
    /// A client that is connected, with negotiation as browsers do.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::new(url, &[]).start().await
    }

    /// A client that opens its WebSocket at once.
    pub(crate) async fn connect_without_negotiation(url: &str) -> Self {
        Self::new(url, &["skip-negotiation"]).start().await
    }

    /// A client that is connected and in a room.
    pub(crate) async fn join(url: &str, room: &str, name: &str) -> Self {
        let mut client = Self::connect(url).await;
        client.invoke("Join", &json!([room, name])).await.expect("the client joins");
        client
    }

    async fn start(mut self) -> Self {
        let id = self.act("start", "", &json!([])).await.expect("the client connects");
        id.as_str().unwrap_or_default().clone_into(&mut self.connection_id);
        self
    }

    /// As negotiated; empty without.
    pub(crate) fn connection_id(&self) -> &str {
        &self.connection_id
    }

    fn new(url: &str, more: &[&str]) -> Self {
        let folder = installed("tests/client");
        let mut process = tokio::process::Command::new("node")
            .arg(folder.join("driver.mjs"))
            .arg(url)
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("these tests need node in PATH");
        let output = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
        let input = process.stdin.take().expect("its input is a pipe");
        Self {
            _process: process,
            input,
            output,
            earlier: Vec::new(),
            last_id: 0,
            connection_id: String::new(),
        }
    }

    pub(crate) async fn invoke(&mut self, target: &str, arguments: &Value) -> Result<Value, String> {
        self.act("invoke", target, arguments).await
    }

    /// Without an answer from the hub.
    pub(crate) async fn send(&mut self, target: &str, arguments: &Value) {
        self.act("send", target, arguments).await.expect("it is written");
    }

    pub(crate) async fn stream(&mut self, target: &str, arguments: &Value) -> Result<Value, String> {
        self.act("stream", target, arguments).await
    }

    pub(crate) async fn stop(&mut self) {
        self.act("stop", "", &json!([])).await.expect("the client stops");
    }

    /// The next text that it hears, and who from.
    pub(crate) async fn hears(&mut self) -> (String, String) {
        let message = self.event("message").await;
        let word = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
        (word("from"), word("text"))
    }

    /// Waits for an event, and gives what came with it.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let mut line = self.wait_for(&format!("the client's {name}"), |line| line["event"] == name).await;
        line["value"].take()
    }

    /// Whether an event has come and was not asked for yet.
    pub(crate) fn has(&self, event: &str) -> bool {
        self.earlier.iter().any(|line| line["event"] == event)
    }

    async fn act(&mut self, action: &str, target: &str, arguments: &Value) -> Result<Value, String> {
        self.last_id += 1;
        let id = self.last_id;
        let line = json!({ "id": id, "do": action, "target": target, "arguments": arguments });
        self.input.write_all(format!("{line}\n").as_bytes()).await.expect("the client reads");
        let mut line =
            self.wait_for(&format!("the answer to {action} {target}"), |line| line["id"] == id).await;
        match line["error"].take() {
            Value::String(error) => Err(error),
            _ => Ok(line["value"].take()),
        }
    }

    async fn wait_for(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Value {
        if let Some(index) = self.earlier.iter().position(&wanted) {
            return self.earlier.remove(index);
        }
        within(what, async {
            loop {
                let line = self.output.next_line().await.expect("the client's output is readable");
                let line = line.unwrap_or_else(|| panic!("the client ended before {what}"));
                let line: Value = serde_json::from_str(&line).expect("the client says JSON");
                if wanted(&line) {
                    return line;
                }
                self.earlier.push(line);
            }
        })
        .await
    }
}

/// A folder of this package with what its lock file says; installed at first use.
pub(super) fn installed(folder: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let lock_path = folder.join("package-lock.json");
    // Tests run side by side, and only one may install.
    let lock = File::open(&lock_path).expect("the lock file is there");
    lock.lock().expect("the lock file can be locked");
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&lock_path) {
        let output =
            Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder).output();
        let output = output.expect("these tests need npm in PATH");
        assert!(output.status.success(), "npm ci: {}", String::from_utf8_lossy(&output.stderr));
    }
    folder
}
