//! Reads objects of a cluster, as JSON from kubectl.

use crate::sh;
use crate::target::Target;
use anyhow::Result;
use serde_json::Value;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest time until the API server serves a new kind: far longer than it takes.
const SERVED: Duration = Duration::from_secs(30);

/// Runs `kubectl get … -o json`.
pub(crate) fn get(target: &Target, args: &[&str]) -> Result<Value> {
    let text = sh::output(target.kubectl()?.arg("get").args(args).args(["-o", "json"]))?;
    Ok(serde_json::from_str(&text)?)
}

/// Waits until `ChatClusters` are served. `kubectl wait` alone fails while the CRD has no condition yet.
pub(crate) fn established(kubectl: impl Fn() -> Result<Command>) -> Result<()> {
    let start = Instant::now();
    let wait = ["wait", "--for=condition=Established", "crd/chatclusters.chatcluster.dev", "--timeout=1s"];
    loop {
        match sh::quiet(kubectl()?.args(wait)) {
            Err(_) if start.elapsed() < SERVED => sleep(Duration::from_millis(100)),
            result => return result,
        }
    }
}

/// A condition of an object's status.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Condition {
    pub(crate) kind: String,
    pub(crate) status: String,
    pub(crate) reason: String,
    pub(crate) message: String,
}

pub(crate) fn conditions(object: &Value) -> Vec<Condition> {
    let text = |c: &Value, key: &str| c[key].as_str().unwrap_or_default().to_owned();
    let list = object["status"]["conditions"].as_array().map(Vec::as_slice).unwrap_or_default();
    list.iter()
        .map(|c| Condition {
            kind: text(c, "type"),
            status: text(c, "status"),
            reason: text(c, "reason"),
            message: text(c, "message"),
        })
        .collect()
}

/// The conditions that are new or have changed.
pub(crate) fn changed<'a>(before: &[Condition], now: &'a [Condition]) -> Vec<&'a Condition> {
    now.iter().filter(|c| !before.contains(c)).collect()
}

pub(crate) fn is_true(conditions: &[Condition], kind: &str) -> bool {
    conditions.iter().any(|c| c.kind == kind && c.status == "True")
}

/// The address that a load balancer has assigned to a Service.
pub(crate) fn address(service: &Value) -> Option<String> {
    let given = &service["status"]["loadBalancer"]["ingress"][0];
    given["ip"].as_str().or(given["hostname"].as_str()).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn chat(status: &str, reason: &str) -> Value {
        json!({"status": {"conditions": [{"type": "Ready", "status": status, "reason": reason, "message": "m"}]}})
    }

    #[test]
    fn only_what_changed_is_shown() {
        let before = conditions(&chat("False", "Starting"));
        assert!(changed(&before, &before).is_empty());
        let now = conditions(&chat("True", "Serving"));
        assert_eq!(changed(&before, &now)[0].reason, "Serving");
        assert!(is_true(&now, "Ready") && !is_true(&before, "Ready"));
    }

    #[test]
    fn an_object_without_status_has_no_conditions() {
        assert!(conditions(&json!({})).is_empty());
    }

    #[test]
    fn an_address_is_an_ip_or_a_name() {
        let with = |i: Value| json!({"status": {"loadBalancer": {"ingress": [i]}}});
        assert_eq!(address(&with(json!({"ip": "198.18.128.1"}))).as_deref(), Some("198.18.128.1"));
        assert_eq!(address(&with(json!({"hostname": "lb.example"}))).as_deref(), Some("lb.example"));
        assert_eq!(address(&json!({"status": {"loadBalancer": {}}})), None);
    }
}
