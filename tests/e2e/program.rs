//! The Node programs of `client/`, driven by lines of JSON: `client/lines.mjs` is the other end.

use std::collections::HashMap;
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::{Child, ChildStdin, Command};
use tokio::sync::{Notify, oneshot};

use crate::support::repo;

type Answer = Result<Value, String>;

/// A running program, which ends when dropped.
pub(crate) struct Program {
    stdin: tokio::sync::Mutex<ChildStdin>,
    last: AtomicU64,
    heard: Arc<Heard>,
    _child: Child,
}

#[derive(Default)]
struct Heard {
    waiting: Mutex<HashMap<u64, oneshot::Sender<Answer>>>,
    events: Mutex<Vec<Value>>,
    news: Notify,
}

impl Program {
    pub(crate) fn start(script: &str) -> Self {
        let folder = repo().join("tests/e2e/client");
        assert!(
            folder.join("node_modules").is_dir(),
            "the clients are not installed: run `npm ci` in tests/e2e/client, as `cargo xtask test --only e2e` does"
        );
        let mut child = Command::new("node")
            .arg(folder.join(script))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap_or_else(|error| panic!("node {script}: {error}"));
        let stdin = child.stdin.take().expect("a pipe");
        let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
        let heard = Arc::new(Heard::default());
        let listener = heard.clone();
        tokio::spawn(async move {
            while let Ok(Some(line)) = lines.next_line().await {
                match serde_json::from_str::<Value>(&line) {
                    Ok(line) => listener.line(line),
                    Err(_) => eprintln!("{line}"),
                }
            }
            listener.waiting.lock().unwrap().clear(); // pending calls fail, as the program has ended
        });
        Self { stdin: stdin.into(), last: AtomicU64::new(0), heard, _child: child }
    }

    /// Sends a command, and returns the answer.
    pub(crate) async fn ask(&self, command: &str, mut args: Value) -> Answer {
        let id = self.last.fetch_add(1, Ordering::Relaxed);
        let (tell, answer) = oneshot::channel();
        self.heard.waiting.lock().unwrap().insert(id, tell);
        args["id"] = json!(id);
        args["do"] = json!(command);
        let line = format!("{args}\n");
        let written = self.stdin.lock().await.write_all(line.as_bytes()).await;
        written.map_err(|error| format!("{command}: {error}"))?;
        answer.await.map_err(|_| format!("{command}: the program has ended"))?
    }

    /// Like `ask`, for a command that must succeed.
    pub(crate) async fn must(&self, command: &str, args: Value) -> Value {
        let what = args.to_string();
        self.ask(command, args).await.unwrap_or_else(|error| panic!("{command} {what}: {error}"))
    }

    /// Waits for an event, including one that has already happened. Returns `None` when the bound is over.
    pub(crate) async fn event(&self, bound: Duration, is_it: impl Fn(&Value) -> bool) -> Option<Value> {
        let search = async {
            loop {
                let news = self.heard.news.notified();
                tokio::pin!(news);
                news.as_mut().enable();
                if let Some(event) = self.events().into_iter().find(|event| is_it(event)) {
                    return event;
                }
                news.await;
            }
        };
        tokio::time::timeout(bound, search).await.ok()
    }

    /// All events so far.
    pub(crate) fn events(&self) -> Vec<Value> {
        self.heard.events.lock().unwrap().clone()
    }
}

impl Heard {
    fn line(&self, mut line: Value) {
        let Some(id) = line["id"].as_u64().filter(|_| line.get("event").is_none()) else {
            self.events.lock().unwrap().push(line);
            self.news.notify_waiters();
            return;
        };
        let answer = match line.get("error") {
            Some(error) => Err(error.as_str().unwrap_or_default().to_owned()),
            None => Ok(line["ok"].take()),
        };
        if let Some(tell) = self.waiting.lock().unwrap().remove(&id) {
            let _ = tell.send(answer);
        }
    }
}
