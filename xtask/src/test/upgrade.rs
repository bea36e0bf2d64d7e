//! Upgrades of the chart from earlier versions to this one. The operators of those versions are not built
//! again: the objects that each made of a `ChatCluster` are applied from `tests/previous/`, with pods that
//! run. Redis must not restart; hubs do, as CHANGELOG.md says.

use crate::target::Target;
use crate::{chart, install, kube, repo, sh};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// The name of the `ChatCluster` in `tests/previous/` that is made.
const NAME: &str = "plain";
const CRD: &str = "chatclusters.chatcluster.dev";

/// An earlier version, with a namespace for its `ChatCluster`.
struct Previous {
    version: &'static str,
    namespace: &'static str,
    /// Options of helm that keep the operator, whose image is this version's, idle under the earlier chart.
    idle: &'static [&'static str],
}

const PREVIOUS: [Previous; 2] = [
    // The role of that version lacks Leases, among others: this operator does not even list ChatClusters.
    Previous { version: "0.1.0", namespace: "from-0-1-0", idle: &[] },
    Previous { version: "0.2.0", namespace: "from-0-2-0", idle: &["--set", "replicas=0"] },
];

/// Upgrades to this version from each earlier one. The last one stays installed for the tests that follow.
pub(super) fn run(target: &Target, values: &[String]) -> Result<()> {
    for (number, previous) in PREVIOUS.iter().enumerate() {
        if number > 0 {
            uninstall(target)?;
        }
        previous.upgrade(target, values).with_context(|| format!("the upgrade from {}", previous.version))?;
    }
    Ok(())
}

impl Previous {
    fn upgrade(&self, target: &Target, values: &[String]) -> Result<()> {
        let folder = repo::root().join("tests/previous");
        let archive = folder.join(format!("chatcluster-{}.tgz", self.version));
        install::release(target, &archive, values, self.idle)?;
        kube::established(|| target.kubectl())?;
        ensure!(crd_version(target)? == self.version, "the CRD of {} is not there", self.version);
        let former = fs::read_to_string(folder.join(format!("objects-{}.json", self.version)))?;
        let images = (value(values, "defaults.hubImage=")?, value(values, "defaults.redisImage=")?);
        self.make_former(
            target,
            &former.replace("localhost/hub:sim", images.0).replace("localhost/redis:sim", images.1),
        )?;
        for pods in ["statefulset/plain-redis", "deployment/plain-hub"] {
            let wait = ["rollout", "status", pods, "--namespace", self.namespace, "--timeout=120s"];
            kubectl(target, &wait)?;
        }
        let before = self.redis(target)?;
        ensure!(before.len() == 1, "the former Redis: {before:?}");

        install::install(target, values)?;

        ensure!(crd_version(target)? == repo::VERSION, "the CRD was not upgraded");
        let ready = "--for=condition=Ready";
        let wait = ["wait", ready, "chat/plain", "--namespace", self.namespace, "--timeout=120s"];
        kubectl(target, &wait)?;
        let after = self.redis(target)?;
        ensure!(before == after, "Redis was restarted: {before:?} became {after:?}");
        kubectl(target, &["delete", "namespace", self.namespace, "--wait=false"])
    }

    /// Applies the `ChatCluster` and its children, the latter with the operator's field manager.
    fn make_former(&self, target: &Target, objects: &str) -> Result<()> {
        kubectl(target, &["create", "namespace", self.namespace])?;
        let objects: Value = serde_json::from_str(objects)?;
        let chat = json!({
            "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": NAME, "namespace": self.namespace}, "spec": objects["chatclusters"][NAME],
        });
        self.apply(target, "a-user", &chat.to_string())?;
        let chat = kube::get(target, &["chatcluster", NAME, "--namespace", self.namespace])?;
        let uid = chat["metadata"]["uid"].as_str().context("a uid")?;
        let children = objects["children"].as_array().context("children")?;
        let ours: Vec<&Value> =
            children.iter().filter(|child| child["metadata"]["ownerReferences"][0]["name"] == NAME).collect();
        let list = json!({"apiVersion": "v1", "kind": "List", "items": ours}).to_string();
        self.apply(
            target,
            "chatcluster-operator",
            &list.replace("\"UID\"", &json!(uid).to_string()).replace("NAMESPACE", self.namespace),
        )
    }

    fn apply(&self, target: &Target, manager: &str, objects: &str) -> Result<()> {
        let manager = format!("--field-manager={manager}");
        let mut kubectl = target.kubectl()?;
        kubectl.args(["apply", "--server-side", &manager, "--namespace", self.namespace, "--filename", "-"]);
        let mut child =
            kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot start kubectl")?;
        child.stdin.take().context("its input")?.write_all(objects.as_bytes())?;
        ensure!(child.wait()?.success(), "`{}` failed", sh::line(&kubectl));
        Ok(())
    }

    /// The Redis pod of the former `ChatCluster`, and how often its container has restarted.
    fn redis(&self, target: &Target) -> Result<BTreeMap<String, String>> {
        let selector = "app.kubernetes.io/component=backplane";
        let list = kube::get(target, &["pods", "--namespace", self.namespace, "--selector", selector])?;
        let pods = list["items"].as_array().into_iter().flatten();
        let pods = pods.map(|pod| {
            let restarts = &pod["status"]["containerStatuses"][0]["restartCount"];
            (
                pod["metadata"]["name"].to_string(),
                format!("{} restarted {restarts} times", pod["metadata"]["uid"]),
            )
        });
        Ok(pods.collect())
    }
}

/// Removes the release and the CRD, which outlives it, and with the CRD every `ChatCluster`.
fn uninstall(target: &Target) -> Result<()> {
    let uninstall =
        ["uninstall", "chatcluster", "--namespace", chart::NAMESPACE, "--wait", "--timeout", "120s"];
    sh::quiet(target.helm()?.args(uninstall))?;
    kubectl(target, &["delete", "crd", CRD, "--timeout=120s"])
}

/// The version of the chart that the CRD came with.
fn crd_version(target: &Target) -> Result<String> {
    let crd = kube::get(target, &["crd", CRD])?;
    Ok(crd["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned())
}

fn value<'a>(values: &'a [String], name: &str) -> Result<&'a str> {
    values.iter().find_map(|value| value.strip_prefix(name)).with_context(|| format!("no value {name}"))
}

fn kubectl(target: &Target, args: &[&str]) -> Result<()> {
    sh::quiet(target.kubectl()?.args(args))
}
