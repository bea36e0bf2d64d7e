//! The API server's audit log: who asked for what, and when. All times and counts of the bench are of it, so that measuring
//! costs the API server nothing.

use crate::api::{AGENT, Api};
use crate::run::until;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// What the operator calls itself.
const OPERATOR: &str = "chatcluster-operator/";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    Operator,
    Bench,
    /// Kubernetes' own, whose deletions alone are of interest
    Other,
}

/// A request that was answered. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) agent: Agent,
    pub(crate) verb: String,
    /// `chatclusters/status`
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Without a query
    pub(crate) path: String,
    pub(crate) code: u16,
    pub(crate) received: i64,
    pub(crate) answered: i64,
}

impl Entry {
    /// Whether it was to change something, other than the lease.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch") && self.resource != "leases"
    }

    /// Whether it is about a child of a cluster, or might be.
    pub(crate) fn is_of_child(&self) -> bool {
        self.is_write() && !self.resource.starts_with("chatclusters") && self.resource != "events"
    }

    /// Whether it made what it is about.
    pub(crate) fn has_created(&self) -> bool {
        self.code == 201 && matches!(self.verb.as_str(), "create" | "patch")
    }
}

/// A log that is followed. It may be rotated under way.
pub(crate) struct Audit {
    path: PathBuf,
    reader: BufReader<File>,
    inode: u64,
    line: Vec<u8>,
    marks: u32,
    /// All of interest so far
    entries: Vec<Entry>,
}

impl Audit {
    /// From its end on.
    pub(crate) fn follow(path: &Path) -> Result<Self> {
        let (mut reader, inode) = open(path)?;
        std::io::Seek::seek(&mut reader, std::io::SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), reader, inode, line: Vec::new(), marks: 0, entries: Vec::new() })
    }

    /// Takes in what has been written since. Returns where that begins.
    pub(crate) fn read(&mut self) -> Result<usize> {
        let before = self.entries.len();
        self.read_to_end()?;
        // A log that has grown too long is renamed, and another one begun.
        let now = std::fs::metadata(&self.path).map_or(self.inode, |file| file.ino());
        if now != self.inode {
            self.read_to_end()?;
            (self.reader, self.inode) = open(&self.path)?;
            self.line.clear();
            self.read_to_end()?;
        }
        Ok(before)
    }

    fn read_to_end(&mut self) -> Result<()> {
        loop {
            self.reader.read_until(b'\n', &mut self.line).context("the audit log")?;
            if self.line.last() != Some(&b'\n') {
                return Ok(()); // the rest of the line is still to come
            }
            self.entries.extend(parse(&String::from_utf8_lossy(&self.line)));
            self.line.clear();
        }
    }

    /// Waits until all that has been answered by now is in it, which lags a little.
    pub(crate) async fn catch_up(&mut self, api: &Api) -> Result<()> {
        self.marks += 1;
        let mark = format!("audit-mark-{}", self.marks);
        api.ask_for_nothing(&format!("/api/v1/namespaces/default/configmaps/{mark}")).await?;
        let from = self.entries.len();
        until("the audit log has our mark", Duration::from_mins(1), Duration::from_millis(20), async || {
            self.read()?;
            Ok(self.entries[from..].iter().any(|entry| entry.name == mark).then_some(()))
        })
        .await
    }

    /// How many entries there are: a place from which to look at others.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All after a place.
    pub(crate) fn since(&self, place: usize) -> &[Entry] {
        &self.entries[place..]
    }

    /// Those of the operator after a place.
    pub(crate) fn of_operator(&self, place: usize) -> impl Iterator<Item = &Entry> {
        self.since(place).iter().filter(|entry| entry.agent == Agent::Operator)
    }
}

fn open(path: &Path) -> Result<(BufReader<File>, u64)> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let inode = file.metadata()?.ino();
    Ok((BufReader::with_capacity(1 << 20, file), inode))
}

/// A line of the log, as far as it matters.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Line<'a> {
    stage: &'a str,
    verb: &'a str,
    #[serde(borrow, default)]
    user_agent: Cow<'a, str>,
    #[serde(rename = "requestURI", borrow)]
    request_uri: Cow<'a, str>,
    #[serde(borrow)]
    object_ref: Option<Object<'a>>,
    response_status: Option<Answer>,
    request_received_timestamp: &'a str,
    stage_timestamp: &'a str,
}

#[derive(Deserialize)]
struct Object<'a> {
    #[serde(default)]
    resource: &'a str,
    #[serde(default)]
    subresource: &'a str,
    #[serde(default)]
    namespace: &'a str,
    #[serde(default)]
    name: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    #[serde(default)]
    code: u16,
}

/// The request, if it has been answered and is of interest.
fn parse(line: &str) -> Option<Entry> {
    // Most lines are of Kubernetes' own controllers: looking is faster than parsing.
    let ours = line.contains("\"userAgent\":\"chatcluster-");
    if !ours && !line.contains("\"verb\":\"delete") {
        return None;
    }
    let line: Line = serde_json::from_str(line).ok()?;
    if line.stage != "ResponseComplete" {
        return None;
    }
    let agent = if line.user_agent.starts_with(OPERATOR) {
        Agent::Operator
    } else if line.user_agent == AGENT {
        Agent::Bench
    } else {
        Agent::Other
    };
    let object = line.object_ref.unwrap_or(Object { resource: "", subresource: "", namespace: "", name: "" });
    let slash = if object.subresource.is_empty() { "" } else { "/" };
    let time = |text: &str| text.parse::<Timestamp>().ok().map(Timestamp::as_microsecond);
    Some(Entry {
        agent,
        verb: line.verb.to_owned(),
        resource: format!("{}{slash}{}", object.resource, object.subresource),
        namespace: object.namespace.to_owned(),
        name: object.name.to_owned(),
        path: line.request_uri.split('?').next().unwrap_or_default().to_owned(),
        code: line.response_status.map_or(0, |answer| answer.code),
        received: time(line.request_received_timestamp)?,
        answered: time(line.stage_timestamp)?,
    })
}

/// Now, as the audit log has times: its clock is ours.
pub(crate) fn now() -> i64 {
    Timestamp::now().as_microsecond()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn line(agent: &str, verb: &str, resource: &str, subresource: &str, stage: &str) -> String {
        json!({
            "stage": stage, "verb": verb, "userAgent": agent,
            "requestURI": "/api/v1/namespaces/bench-000/secrets/c00001-redis-auth?fieldManager=x",
            "objectRef": {"resource": resource, "subresource": subresource, "namespace": "bench-000",
                          "name": "c00001-redis-auth"},
            "responseStatus": {"metadata": {}, "code": 201},
            "requestReceivedTimestamp": "2026-01-02T03:04:05.000006Z",
            "stageTimestamp": "2026-01-02T03:04:05.010000Z",
        })
        .to_string()
    }

    #[test]
    fn the_operators_requests_are_told_from_ours_and_others() {
        let agent =
            |agent, verb| parse(&line(agent, verb, "secrets", "", "ResponseComplete")).map(|e| e.agent);

        assert_eq!(agent("chatcluster-operator/0.2.0", "patch"), Some(Agent::Operator));
        assert_eq!(agent(AGENT, "create"), Some(Agent::Bench));
        assert_eq!(agent("kube-controller-manager/v1.34.4", "delete"), Some(Agent::Other));
        assert_eq!(agent("kube-controller-manager/v1.34.4", "create"), None);
    }

    #[test]
    fn an_entry_says_what_was_asked_for_and_how_long_that_took() {
        let entry =
            parse(&line("chatcluster-operator/0.2.0", "patch", "chatclusters", "status", "ResponseComplete"));
        let entry = entry.unwrap();

        assert_eq!(entry.resource, "chatclusters/status");
        assert_eq!(entry.path, "/api/v1/namespaces/bench-000/secrets/c00001-redis-auth");
        assert_eq!(entry.answered - entry.received, 9_994);
        assert!(entry.is_write() && entry.has_created() && !entry.is_of_child());
    }

    #[test]
    fn a_watch_counts_when_it_ends_and_the_lease_is_no_write() {
        let operator = "chatcluster-operator/0.2.0";

        assert_eq!(parse(&line(operator, "watch", "secrets", "", "ResponseStarted")), None);
        assert!(!parse(&line(operator, "watch", "secrets", "", "ResponseComplete")).unwrap().is_write());
        assert!(!parse(&line(operator, "patch", "leases", "", "ResponseComplete")).unwrap().is_write());
        assert!(parse(&line(operator, "create", "events", "", "ResponseComplete")).unwrap().is_write());
    }
}
