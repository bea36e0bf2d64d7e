//! The API server's audit log: every request that anyone made, by user agent.

use std::io::{Read as _, Seek as _, SeekFrom};

use serde_json::Value;

use crate::support::{A_WHILE, Kind, Namespace, SOON, env};

/// One request. Times are in the API server's format, which sorts as text.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub(crate) agent: String,
    pub(crate) verb: String,
    pub(crate) uri: String,
    pub(crate) code: u64,
    pub(crate) received: String,
    pub(crate) answered: String,
}

/// A position in the audit log, from which entries are read.
pub(crate) struct Audit {
    from: u64,
}

impl Audit {
    /// The current end of the log.
    pub(crate) fn from_now() -> Self {
        let from = std::fs::metadata(path()).map_or(0, |file| file.len());
        Self { from }
    }

    /// The operator's requests about this namespace since the position, as `verb uri`.
    pub(crate) async fn requests(&self, ns: &Namespace) -> Vec<String> {
        let entries = self.entries(ns).await;
        let ours = entries.into_iter().filter(|entry| entry.agent.starts_with("chatcluster-operator"));
        ours.map(|entry| format!("{} {}", entry.verb, entry.uri)).collect()
    }

    /// All requests about this namespace since the position. The log lags a little, so a request of our own
    /// marks the point up to which it must have been written.
    pub(crate) async fn entries(&self, ns: &Namespace) -> Vec<Entry> {
        let marker = format!("audit-marker-{:08x}", rand::random::<u32>());
        ns.child(Kind::ConfigMap, &marker).find().await;
        let log = ns
            .eventually(SOON, "the audit log contains our marker", async || {
                let log = self.read();
                if log.contains(&marker) { Ok(log) } else { Err("it does not".into()) }
            })
            .await;
        log.lines()
            .filter_map(|line| serde_json::from_str::<Value>(line).ok())
            .filter(|entry| entry["stage"] == "ResponseComplete")
            .filter(|entry| entry["objectRef"]["namespace"] == ns.name.as_str())
            .map(|entry| {
                let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
                Entry {
                    agent: text(&entry["userAgent"]),
                    verb: text(&entry["verb"]),
                    uri: text(&entry["requestURI"]),
                    code: entry["responseStatus"]["code"].as_u64().unwrap_or_default(),
                    received: text(&entry["requestReceivedTimestamp"]),
                    answered: text(&entry["stageTimestamp"]),
                }
            })
            .collect()
    }

    fn read(&self) -> String {
        let mut file = std::fs::File::open(path()).unwrap_or_else(|error| panic!("{}: {error}", path()));
        let mut text = Vec::new();
        file.seek(SeekFrom::Start(self.from))
            .and_then(|_| file.read_to_end(&mut text))
            .expect("the audit log");
        String::from_utf8_lossy(&text).into_owned()
    }
}

/// Waits until the operator has made no request about this namespace for a while.
pub(crate) async fn comes_to_rest(ns: &Namespace) -> Result<(), String> {
    ns.try_eventually(SOON, async || {
        let audit = Audit::from_now();
        tokio::time::sleep(A_WHILE).await;
        let requests = audit.requests(ns).await;
        if requests.is_empty() { Ok(()) } else { Err(format!("not at rest: {requests:#?}")) }
    })
    .await
}

fn path() -> String {
    env("CHATCLUSTER_AUDIT_LOG")
}
