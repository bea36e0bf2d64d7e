//! Real pods: the time from `kubectl apply` of a `ChatCluster` to the first message that crosses its two hubs
//! through the load balancer's address, beside `kubectl apply` of the same objects by hand. The two take
//! turns.

use crate::target::Target;
use crate::{images, install, interrupt, kube, repo, sh};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Instant;

const NAME: &str = "lobby";
const NODES: u8 = 2;
/// The kinds of a cluster's children.
const CHILDREN: &str =
    "secrets,configmaps,services,statefulsets,deployments,networkpolicies,poddisruptionbudgets";
/// Measures each of the two this many times, on a cluster of its own.
pub(super) fn measure(bench: &Path, rounds: usize, mut each: impl FnMut(Value) -> Result<()>) -> Result<()> {
    let name = std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "chatcluster-bench".to_owned());
    let cluster = Cluster(Target::Own { name });
    let target = &cluster.0;
    target.up(NODES)?;
    install::install(target, &install::values(target, &images::build()?, None)?)?;
    // The first round does not count: images are unpacked, and programs are read from disk.
    let first = Place::new(target, bench, 0)?;
    first.run(&first.chat_cluster())?;
    let children = first.children()?;
    first.end()?;
    for round in 1..=rounds {
        for by_hand in [false, true] {
            interrupt::check()?;
            let place = Place::new(target, bench, 2 * round + usize::from(by_hand))?;
            let objects = if by_hand { place.moved(&children, &first)? } else { place.chat_cluster() };
            let seconds = place.run(&objects)?;
            place.end()?;
            let system = if by_hand { "floor" } else { "operator" };
            each(json!({"phase": "real", "system": system, "round": round, "seconds": seconds}))?;
        }
    }
    Ok(())
}

/// A cluster, which is ended when dropped.
struct Cluster(Target);

impl Drop for Cluster {
    fn drop(&mut self) {
        if let Err(e) = self.0.down() {
            eprintln!("{e:#}");
        }
    }
}

/// The namespace and the address of one round.
struct Place<'a> {
    target: &'a Target,
    /// The program of `bench/operator`
    bench: &'a Path,
    namespace: String,
    address: String,
}

impl<'a> Place<'a> {
    fn new(target: &'a Target, bench: &'a Path, index: usize) -> Result<Self> {
        // The address is known beforehand, so that nothing has to ask for it. All names have one length, so
        // that objects stay equally long.
        let (namespace, address) = (format!("real-{index:03}"), format!("198.18.128.{}", 100 + index));
        sh::quiet(target.kubectl()?.args(["create", "namespace", &namespace]))?;
        Ok(Self { target, bench, namespace, address })
    }

    /// A ChatCluster with this address, and defaults for everything else.
    fn chat_cluster(&self) -> Value {
        json!({
            "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster", "metadata": {"name": NAME},
            "spec": {"service": {"annotations": {"metallb.io/loadBalancerIPs": self.address}}},
        })
    }

    /// The children that the operator has created here, as a person would have written them.
    fn children(&self) -> Result<Value> {
        let selector = format!("app.kubernetes.io/instance={NAME}");
        let list = kube::get(self.target, &[CHILDREN, "-n", &self.namespace, "-l", &selector])?;
        let count = list["items"].as_array().map_or(0, Vec::len);
        ensure!(count > 9, "only {count} objects were found");
        let by_hand = sh::output(sh::cmd(self.bench, ["by-hand"]).arg(self.file(&list)?))?;
        Ok(serde_json::from_str(&by_hand)?)
    }

    /// Objects of another place, moved to this one.
    fn moved(&self, objects: &Value, from: &Self) -> Result<Value> {
        let text = objects.to_string();
        let text = text.replace(&from.namespace, &self.namespace).replace(&from.address, &self.address);
        Ok(serde_json::from_str(&text)?)
    }

    /// The seconds from `kubectl apply` of these objects until a message has crossed.
    fn run(&self, objects: &Value) -> Result<f64> {
        let file = self.file(objects)?;
        let mut crossing = self.crossing()?;
        let start = Instant::now();
        let applied =
            sh::quiet(self.target.kubectl()?.args(["apply", "-n", &self.namespace, "-f"]).arg(file));
        if applied.is_err() {
            sh::end(&mut crossing);
        }
        applied?;
        let status = crossing.wait()?;
        let seconds = start.elapsed().as_secs_f64();
        ensure!(
            status.success(),
            "no message crossed: `cargo xtask cluster` can bring such a cluster up to look at"
        );
        Ok(seconds)
    }

    fn file(&self, objects: &Value) -> Result<PathBuf> {
        let file = repo::scratch("bench")?.join(format!("{}.json", self.namespace));
        std::fs::write(&file, objects.to_string())?;
        Ok(file)
    }

    /// Starts clients outside of the cluster, which end once a message has crossed.
    fn crossing(&self) -> Result<Child> {
        let mut crossing = self.target.exec(self.bench)?;
        crossing.args(["crossing", "--hubs", "2", "--address", &format!("{}:80", self.address)]);
        crossing.stdin(Stdio::null()).spawn().context("cannot start the clients")
    }

    /// Deletes the namespace, with its volumes, before the next round.
    fn end(&self) -> Result<()> {
        let wait = ["--wait=true", "--timeout=180s"];
        sh::quiet(self.target.kubectl()?.args(["delete", "namespace", &self.namespace]).args(wait))
    }
}
