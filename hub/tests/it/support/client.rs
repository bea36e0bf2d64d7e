//! A real client, in a process of one of the drivers in `tests/client*`.

use std::fmt;
use std::process::Stdio;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout};

use super::drivers::Kind;
use super::within;

/// The way in which a client connects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Way {
    pub(crate) kind: Kind,
    /// The transport's name in a negotiation, or `auto`.
    pub(crate) transport: &'static str,
    /// `json` or `messagepack`.
    pub(crate) protocol: &'static str,
    /// Further options of the drivers: `skip-negotiation`, `stateful`, `impatient`.
    pub(crate) more: &'static [&'static str],
}

impl Way {
    pub(crate) const fn new(kind: Kind, transport: &'static str, protocol: &'static str) -> Self {
        Self { kind, transport, protocol, more: &[] }
    }

    pub(crate) const fn with(self, more: &'static [&'static str]) -> Self {
        Self { more, ..self }
    }

    /// All ways that these clients support. Java's `MessagePack` package is not on Maven Central.
    pub(crate) const ALL: [Self; 14] = [
        Self::new(Kind::Npm, "WebSockets", "json"),
        Self::new(Kind::Npm, "WebSockets", "messagepack"),
        Self::new(Kind::Npm, "WebSockets", "json").with(&["stateful"]),
        Self::new(Kind::Npm, "WebSockets", "messagepack").with(&["stateful"]),
        Self::new(Kind::Npm, "WebSockets", "messagepack").with(&["skip-negotiation"]),
        Self::new(Kind::Npm, "ServerSentEvents", "json"),
        Self::new(Kind::Npm, "LongPolling", "json"),
        Self::new(Kind::Npm, "LongPolling", "messagepack"),
        Self::new(Kind::Python, "WebSockets", "json"),
        Self::new(Kind::Python, "WebSockets", "messagepack"),
        Self::new(Kind::Python, "ServerSentEvents", "json"),
        // This client delivers one record per poll to its user, however many the poll brought; the others
        // follow with later polls, even with those that bring only a ping. It cannot poll in MessagePack.
        Self::new(Kind::Python, "LongPolling", "json"),
        Self::new(Kind::Java, "WebSockets", "json"),
        Self::new(Kind::Java, "LongPolling", "json"),
    ];
}

impl fmt::Display for Way {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {} {}", self.kind, self.transport, self.protocol)?;
        self.more.iter().try_for_each(|more| write!(f, " {more}"))
    }
}

pub(crate) struct Client {
    _process: Child,
    input: ChildStdin,
    output: Lines<BufReader<ChildStdout>>,
    /// Lines that arrived while another one was awaited.
    earlier: Vec<Value>,
    last_id: u64,
    connection_id: String,
    way: Way,
}

impl Client {
    /// Connects npm's client with a negotiation, as browsers do.
    pub(crate) async fn connect(url: &str) -> Self {
        Self::connect_by(Way::new(Kind::Npm, "auto", "json"), url).await
    }

    /// Connects npm's client without a negotiation.
    pub(crate) async fn connect_without_negotiation(url: &str) -> Self {
        let way = Way::new(Kind::Npm, "WebSockets", "json").with(&["skip-negotiation"]);
        Self::connect_by(way, url).await
    }

    /// Connects npm's client and joins a room.
    pub(crate) async fn join(url: &str, room: &str, name: &str) -> Self {
        let mut client = Self::connect(url).await;
        client.invoke("Join", &json!([room, name])).await.expect("the client joins");
        client
    }

    /// Connects a client in this way.
    pub(crate) async fn connect_by(way: Way, url: &str) -> Self {
        Self::new(way, url).start().await
    }

    async fn start(mut self) -> Self {
        let id = self.act("start", json!({})).await;
        let id = id.unwrap_or_else(|error| panic!("{} does not connect: {error}", self.way));
        id.as_str().unwrap_or_default().clone_into(&mut self.connection_id);
        self
    }

    /// The connection id. It is empty without a negotiation, and for Python's client, which hides it.
    pub(crate) fn connection_id(&self) -> &str {
        &self.connection_id
    }

    pub(crate) fn way(&self) -> Way {
        self.way
    }

    fn new(way: Way, url: &str) -> Self {
        let mut process = way
            .kind
            .driver()
            .args([url, way.transport, way.protocol])
            .args(way.more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("{way}: {error}; `cargo xtask deps` installs what is missing"));
        let output = BufReader::new(process.stdout.take().expect("its output is a pipe")).lines();
        let input = process.stdin.take().expect("its input is a pipe");
        Self {
            _process: process,
            input,
            output,
            earlier: Vec::new(),
            last_id: 0,
            connection_id: String::new(),
            way,
        }
    }

    pub(crate) async fn invoke(&mut self, target: &str, arguments: &Value) -> Result<Value, String> {
        self.act("invoke", json!({ "target": target, "arguments": arguments })).await
    }

    /// Calls a method without waiting for an answer of the hub.
    pub(crate) async fn send(&mut self, target: &str, arguments: &Value) {
        let sent = self.act("send", json!({ "target": target, "arguments": arguments })).await;
        sent.expect("the call is written");
    }

    /// Starts a stream, and waits for its end.
    pub(crate) async fn stream(&mut self, target: &str, arguments: &Value) -> Result<Value, String> {
        self.act("stream", json!({ "target": target, "arguments": arguments })).await
    }

    /// Starts a stream, whose items [`Client::item`] returns.
    pub(crate) async fn begin_stream(&mut self, target: &str, arguments: &Value) -> u64 {
        self.order("stream", json!({ "target": target, "arguments": arguments })).await
    }

    /// The next item of a stream.
    pub(crate) async fn item(&mut self, stream: u64) -> Value {
        let what = format!("an item for {}", self.way);
        let mut line =
            self.wait_for(&what, |line| line["event"] == "item" && line["value"]["stream"] == stream).await;
        line["value"]["item"].take()
    }

    /// Cancels a stream.
    pub(crate) async fn cancel(&mut self, stream: u64) {
        self.act("cancel", json!({ "stream": stream })).await.expect("the stream is cancelled");
    }

    /// Invokes with a stream of items as the last argument.
    pub(crate) async fn upload(
        &mut self,
        target: &str,
        arguments: &Value,
        items: &Value,
    ) -> Result<Value, String> {
        self.act("upload", json!({ "target": target, "arguments": arguments, "items": items })).await
    }

    pub(crate) async fn stop(&mut self) {
        self.act("stop", json!({})).await.expect("the client stops");
    }

    /// Waits for the next message, and returns its sender and text.
    pub(crate) async fn hears(&mut self) -> (String, String) {
        let message = self.event("message").await;
        let word = |name: &str| message[name].as_str().unwrap_or_else(|| panic!("{message}")).to_owned();
        (word("from"), word("text"))
    }

    /// Waits for an event, and returns its value.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        let what = format!("{name} for {}", self.way);
        let mut line = self.wait_for(&what, |line| line["event"] == name).await;
        line["value"].take()
    }

    /// True if such an event has arrived and no wait has consumed it.
    pub(crate) fn has(&self, event: &str) -> bool {
        self.earlier.iter().any(|line| line["event"] == event)
    }

    async fn act(&mut self, action: &str, more: Value) -> Result<Value, String> {
        let what = format!("the answer to {action} {more}");
        let id = self.order(action, more).await;
        self.answer(id, &what).await
    }

    async fn order(&mut self, action: &str, mut order: Value) -> u64 {
        self.last_id += 1;
        order["id"] = self.last_id.into();
        order["do"] = action.into();
        self.input.write_all(format!("{order}\n").as_bytes()).await.expect("the client reads");
        self.last_id
    }

    async fn answer(&mut self, id: u64, what: &str) -> Result<Value, String> {
        let what = format!("{what} for {}", self.way);
        let mut line = self.wait_for(&what, |line| line["id"] == id).await;
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
