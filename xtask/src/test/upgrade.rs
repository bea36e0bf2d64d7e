//! Installs the chart of the previous version, and upgrades it to this one. The operator of that version is
//! not built again: the objects that it created for a `ChatCluster` are recorded in `tests/previous/`, and
//! are created with running pods. Redis must keep running; the hubs are recreated, as the changelog says.

use crate::target::Target;
use crate::{install, kube, repo, sh};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::process::Stdio;

/// The namespace of the former ChatCluster, and in [`NAME`] its name there.
const NAMESPACE: &str = "from-before";
const NAME: &str = "plain";
const PREVIOUS: &str = "0.1.0";

/// Installs the former chart and upgrades it. All other tests need only the upgraded one.
pub(super) fn run(target: &Target, values: &[String]) -> Result<()> {
    let folder = repo::root().join("tests/previous");
    // This version's operator under that version's role may not even list objects, and so does nothing.
    install::release(target, &folder.join(format!("chatcluster-{PREVIOUS}.tgz")), values, &[])?;
    kube::established(|| target.kubectl())?;
    ensure!(crd_version(target)? == PREVIOUS, "the CRD of {PREVIOUS} is not there");
    let former = fs::read_to_string(folder.join(format!("objects-{PREVIOUS}.json")))?;
    let images = (value(values, "defaults.hubImage=")?, value(values, "defaults.redisImage=")?);
    make_former(
        target,
        &former.replace("localhost/hub:sim", images.0).replace("localhost/redis:sim", images.1),
    )?;
    for pods in ["statefulset/plain-redis", "deployment/plain-hub"] {
        kubectl(target, &["rollout", "status", pods, "--namespace", NAMESPACE, "--timeout=120s"])?;
    }
    let before = redis(target)?;
    ensure!(before.len() == 1, "the former Redis: {before:?}");

    install::install(target, values)?;

    ensure!(crd_version(target)? == repo::VERSION, "the CRD was not upgraded");
    let ready = "--for=condition=Ready";
    kubectl(target, &["wait", ready, "chat/plain", "--namespace", NAMESPACE, "--timeout=120s"])?;
    let after = redis(target)?;
    ensure!(before == after, "Redis was restarted: {before:?} became {after:?}");
    kubectl(target, &["delete", "namespace", NAMESPACE, "--wait=false"])
}

/// Creates the ChatCluster and its children, with the field manager that they had.
fn make_former(target: &Target, objects: &str) -> Result<()> {
    kubectl(target, &["create", "namespace", NAMESPACE])?;
    let objects: Value = serde_json::from_str(objects)?;
    let chat = json!({
        "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
        "metadata": {"name": NAME, "namespace": NAMESPACE}, "spec": objects["chatclusters"][NAME],
    });
    apply(target, "a-user", &chat.to_string())?;
    let chat = kube::get(target, &["chatcluster", NAME, "--namespace", NAMESPACE])?;
    let uid = chat["metadata"]["uid"].as_str().context("a uid")?;
    let children = objects["children"].as_array().context("children")?;
    let ours: Vec<&Value> =
        children.iter().filter(|child| child["metadata"]["ownerReferences"][0]["name"] == NAME).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": ours}).to_string();
    apply(
        target,
        "chatcluster-operator",
        &list.replace("\"UID\"", &json!(uid).to_string()).replace("NAMESPACE", NAMESPACE),
    )
}

fn apply(target: &Target, manager: &str, objects: &str) -> Result<()> {
    let manager = format!("--field-manager={manager}");
    let mut kubectl = target.kubectl()?;
    kubectl.args(["apply", "--server-side", &manager, "--namespace", NAMESPACE, "--filename", "-"]);
    let mut child =
        kubectl.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().context("cannot start kubectl")?;
    child.stdin.take().context("its input")?.write_all(objects.as_bytes())?;
    ensure!(child.wait()?.success(), "`{}` failed", sh::line(&kubectl));
    Ok(())
}

/// The Redis pods of the former ChatCluster, each with its UID and the number of its restarts.
fn redis(target: &Target) -> Result<BTreeMap<String, String>> {
    let list = kube::get(
        target,
        &["pods", "--namespace", NAMESPACE, "--selector", "app.kubernetes.io/component=backplane"],
    )?;
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

/// The version of the chart that the CRD came with.
fn crd_version(target: &Target) -> Result<String> {
    let crd = kube::get(target, &["crd", "chatclusters.chatcluster.dev"])?;
    Ok(crd["metadata"]["labels"]["app.kubernetes.io/version"].as_str().unwrap_or_default().to_owned())
}

fn value<'a>(values: &'a [String], name: &str) -> Result<&'a str> {
    values.iter().find_map(|value| value.strip_prefix(name)).with_context(|| format!("no value {name}"))
}

fn kubectl(target: &Target, args: &[&str]) -> Result<()> {
    sh::quiet(target.kubectl()?.args(args))
}
