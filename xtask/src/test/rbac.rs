//! Checks the operator's rights in both directions, with the audit log of all end-to-end tests: no request of
//! the operator was refused, and it used every right at least once. An unused right is one too many, or lacks
//! a test.

use crate::chart;
use crate::sh;
use crate::target::Target;
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The operator's user name on the API server.
const ACCOUNT: &str = "system:serviceaccount:chatcluster-system:chatcluster-operator";

/// Rights, each written as `verb group/resource`.
type Rights = BTreeSet<String>;

/// The present length of the audit log. Refusals before it do not count: an operator under the role of the
/// previous version has some.
pub(super) fn mark(target: &Target) -> usize {
    log(target)
        .and_then(|log| fs::metadata(log).ok())
        .map_or(0, |file| usize::try_from(file.len()).unwrap_or(0))
}

/// Compares granted and used rights, and looks for refusals since the mark. Returns the number of rights.
pub(super) fn check(target: &Target, mark: usize) -> Result<usize> {
    let path = log(target).context("only our own cluster has an audit log")?;
    let log = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let since = |byte: usize| Used::of(&String::from_utf8_lossy(log.get(byte..).unwrap_or_default()));
    let refused: Vec<_> = since(mark).refused.into_iter().collect();
    ensure!(refused.is_empty(), "the operator's role lacks: {}", refused.join(", "));
    let granted = granted(&roles(target)?);
    let unused: Vec<_> = granted.difference(&since(0).allowed).cloned().collect();
    ensure!(
        unused.is_empty(),
        "the operator's role has, and no test made the operator use: {}",
        unused.join(", ")
    );
    Ok(granted.len())
}

fn log(target: &Target) -> Option<PathBuf> {
    target.state().map(|state| state.join("log/audit.log"))
}

/// The rules of all roles that the chart binds to the operator.
fn roles(target: &Target) -> Result<Vec<Value>> {
    let mut rules = Vec::new();
    for kind in ["clusterroles", "roles"] {
        let selector = "app.kubernetes.io/name=chatcluster-operator,app.kubernetes.io/component=operator";
        let mut kubectl = target.kubectl()?;
        kubectl.args(["get", kind, "--namespace", chart::NAMESPACE, "--selector", selector, "--output=json"]);
        let list: Value = serde_json::from_str(&sh::output(&mut kubectl)?)?;
        for role in list["items"].as_array().into_iter().flatten() {
            // The chart's other roles are for people: they extend Kubernetes' own.
            if role["metadata"]["name"].as_str().is_some_and(|name| name.starts_with("chatcluster-operator"))
            {
                rules.extend(role["rules"].as_array().into_iter().flatten().cloned());
            }
        }
    }
    ensure!(!rules.is_empty(), "the operator has no role");
    Ok(rules)
}

fn granted(rules: &[Value]) -> Rights {
    let words = |value: &Value| -> Vec<String> {
        value.as_array().into_iter().flatten().filter_map(|word| word.as_str().map(str::to_owned)).collect()
    };
    let mut rights = Rights::new();
    for rule in rules {
        for group in words(&rule["apiGroups"]) {
            for resource in words(&rule["resources"]) {
                rights.extend(words(&rule["verbs"]).iter().map(|verb| format!("{verb} {group}/{resource}")));
            }
        }
    }
    rights
}

#[derive(Debug, Default, PartialEq, Eq)]
struct Used {
    allowed: Rights,
    refused: Rights,
}

impl Used {
    fn of(log: &str) -> Self {
        let mut used = Self::default();
        let entries = log.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
        for entry in entries.filter(|entry| entry["user"]["username"] == ACCOUNT) {
            let text = |key: &str| entry["objectRef"][key].as_str().unwrap_or_default();
            let (verb, code) = (entry["verb"].as_str().unwrap_or_default(), &entry["responseStatus"]["code"]);
            if text("resource").is_empty() {
                continue; // such as /version, which is open to everyone
            }
            let slash = if text("subresource").is_empty() { "" } else { "/" };
            let what = format!("{}/{}{slash}{}", text("apiGroup"), text("resource"), text("subresource"));
            if code == 403 && entry["annotations"]["authorization.k8s.io/decision"] == "forbid" {
                used.refused.insert(format!("{verb} {what}"));
            } else {
                // Applying an object that does not exist takes the right to create it, too.
                if verb == "patch" && code == 201 {
                    used.allowed.insert(format!("create {what}"));
                }
                used.allowed.insert(format!("{verb} {what}"));
            }
        }
        used
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn entry(user: &str, verb: &str, resource: &str, code: u16) -> String {
        let decision = if code == 403 { "forbid" } else { "allow" };
        json!({
            "user": {"username": user}, "verb": verb, "responseStatus": {"code": code},
            "objectRef": {"apiGroup": "apps", "resource": resource},
            "annotations": {"authorization.k8s.io/decision": decision},
        })
        .to_string()
    }

    fn rights(of: &[&str]) -> Rights {
        of.iter().map(|right| (*right).to_owned()).collect()
    }

    #[test]
    fn only_the_operator_counts_and_what_it_was_refused_is_told_from_what_it_did() {
        let log = [
            entry(ACCOUNT, "list", "deployments", 200),
            entry(ACCOUNT, "delete", "deployments", 403),
            entry("system:admin", "delete", "statefulsets", 200),
        ];

        let used = Used::of(&log.join("\n"));

        assert_eq!(used.allowed, rights(&["list apps/deployments"]));
        assert_eq!(used.refused, rights(&["delete apps/deployments"]));
    }

    #[test]
    fn to_apply_what_is_not_there_is_to_create() {
        let used = Used::of(&entry(ACCOUNT, "patch", "deployments", 201));

        assert_eq!(used.allowed, rights(&["create apps/deployments", "patch apps/deployments"]));
    }

    #[test]
    fn a_rule_grants_each_verb_on_each_resource() {
        let rules = [json!({"apiGroups": ["", "apps"], "resources": ["a", "b"], "verbs": ["get", "list"]})];

        let granted = granted(&rules);

        assert_eq!(granted.len(), 8);
        assert!(granted.contains("get /a") && granted.contains("list apps/b"));
    }
}
