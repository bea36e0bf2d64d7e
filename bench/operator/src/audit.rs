//! The API server's audit log: each request with its client and its times. All times and counts of the bench
//! come from it, so that measuring costs the API server nothing.

use crate::api::{AGENT, Api};
use crate::wait::until;
use anyhow::{Context, Result};
use jiff::Timestamp;
use serde::Deserialize;
use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// The start of the operator's user agent.
const OPERATOR: &str = "chatcluster-operator/";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Agent {
    Operator,
    Bench,
    /// A component of Kubernetes; only its deletions are kept
    Other,
}

/// A request that was answered. Times are microseconds since 1970.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Entry {
    pub(crate) agent: Agent,
    pub(crate) verb: String,
    /// Resource and subresource, such as `chatclusters/status`
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    /// Without the query
    pub(crate) path: String,
    pub(crate) code: u16,
    pub(crate) received: i64,
    pub(crate) answered: i64,
}

impl Entry {
    /// True for a request that changes something other than the lease.
    pub(crate) fn is_write(&self) -> bool {
        !matches!(self.verb.as_str(), "get" | "list" | "watch") && self.resource != "leases"
    }

    /// True for a write to an object that is, or may be, a child of a cluster.
    pub(crate) fn is_of_child(&self) -> bool {
        self.is_write() && !self.resource.starts_with("chatclusters") && self.resource != "events"
    }

    /// True if the request created the object.
    pub(crate) fn has_created(&self) -> bool {
        self.code == 201 && matches!(self.verb.as_str(), "create" | "patch")
    }
}

/// An audit log that is followed, also when it is rotated.
pub(crate) struct Audit {
    path: PathBuf,
    reader: BufReader<File>,
    inode: u64,
    line: Vec<u8>,
    marks: u32,
    /// All entries of interest so far
    entries: Vec<Entry>,
}

impl Audit {
    /// Follows the log from its present end.
    pub(crate) fn follow(path: &Path) -> Result<Self> {
        let (mut reader, inode) = open(path)?;
        std::io::Seek::seek(&mut reader, std::io::SeekFrom::End(0))?;
        Ok(Self { path: path.to_owned(), reader, inode, line: Vec::new(), marks: 0, entries: Vec::new() })
    }

    /// Reads what has been written since the last call. Returns the index of the first new entry.
    pub(crate) fn read(&mut self) -> Result<usize> {
        let before = self.entries.len();
        self.read_to_end()?;
        // The API server renames a log that has grown too long, and starts a new one.
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

    /// Waits until the log, which lags a little, has every request that has been answered by now.
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

    /// The number of entries: an index to pass to [`Audit::since`] later.
    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    /// All entries from this index on.
    pub(crate) fn since(&self, place: usize) -> &[Entry] {
        &self.entries[place..]
    }

    /// The operator's entries from this index on.
    pub(crate) fn of_operator(&self, place: usize) -> impl Iterator<Item = &Entry> {
        self.since(place).iter().filter(|entry| entry.agent == Agent::Operator)
    }
}

fn open(path: &Path) -> Result<(BufReader<File>, u64)> {
    let file = File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let inode = file.metadata()?.ino();
    Ok((BufReader::with_capacity(1 << 20, file), inode))
}

/// The fields of a line of the log that matter here.
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

/// The entry of a line; `None` if the request has not been answered or is of no interest.
fn parse(line: &str) -> Option<Entry> {
    // Most lines come from Kubernetes' own controllers: a search for text is faster than parsing.
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

/// The present time in the unit of the audit log, whose clock is this machine's.
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
