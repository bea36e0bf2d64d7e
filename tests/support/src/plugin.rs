//! The kubectl plugin as a user runs it.

use std::process::{Output, Stdio};

use serde_json::Value;
use tokio::process::Command;
use tokio::time::timeout;

use crate::bounds::PODS;
use crate::environment::env;
use crate::namespace::Namespace;

/// The exit code and the output of a run.
#[derive(Debug)]
pub struct Answer {
    /// The exit code; -1 if a signal ended the process.
    pub code: i32,
    /// The standard output.
    pub out: String,
    /// The standard error.
    pub err: String,
}

impl Answer {
    /// The output of a command that must have succeeded.
    pub fn good(self) -> String {
        assert_eq!(self.code, 0, "{self:#?}");
        self.out
    }

    /// The output as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:#?}"))
    }
}

/// A `kubectl chat` command for a test's namespace, ready to be started.
pub fn plugin_command(ns: &Namespace, args: &[&str]) -> Command {
    let mut command = Command::new(env("CHATCLUSTER_PLUGIN_BIN"));
    command.args(args).args(["--namespace", &ns.name]).stdin(Stdio::null()).kill_on_drop(true);
    command
}

/// Runs `kubectl chat` in a test's namespace to its end.
pub async fn plugin(ns: &Namespace, args: &[&str]) -> Answer {
    let ended = timeout(2 * PODS, plugin_command(ns, args).output()).await;
    let ended = ended.unwrap_or_else(|_| panic!("kubectl-chat {args:?} does not end{}", ns.report()));
    let Output { status, stdout, stderr } = ended.unwrap_or_else(|error| panic!("kubectl-chat: {error}"));
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).expect("text");
    Answer { code: status.code().unwrap_or(-1), out: text(stdout), err: text(stderr) }
}
