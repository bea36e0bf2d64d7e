//! The control plane of a run, with the things that an operator needs there: the CRD, and the rights that the
//! chart gives it.

use super::options::Run;
use crate::target::Target;
use crate::{chart, install, kube, repo, sh};
use anyhow::{Context, Result, ensure};
use serde_json::{Value, json};
use std::fs::OpenOptions;
use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::process::Command;

/// The addresses of fake pods, all of which lead to this machine.
const PODS: &str = "198.19.0.0/16";
/// The number of pods of a cluster
const PODS_OF_A_CLUSTER: usize = 3;
/// The number of pods on a fake node, with room for pods that are being deleted
const PODS_ON_A_NODE: usize = 700;
/// The controllers to run where there are to be no pods: all but those that create pods.
const MAKERS_OF_PODS: &str = "*,-statefulset-controller,-deployment-controller,-replicaset-controller";
/// The kinds of the chart's objects that an operator outside of the cluster needs.
const INSTALLED: [&str; 5] = ["ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding"];
/// The operator's service account, by the chart's default.
const OPERATOR: &str = "chatcluster-operator";
/// The bench's service account. The API server's fairness limits it as it limits the operator, and does not
/// limit an administrator.
const BENCH: &str = "chatcluster-bench";

/// A control plane, which is ended when dropped.
pub(super) struct Control {
    target: Target,
    keep: bool,
    /// The chart's objects
    objects: Vec<Value>,
}

impl Control {
    /// Starts a new control plane, and ends the one before.
    pub(super) fn start(run: Run, keep: bool) -> Result<Self> {
        let name = std::env::var("CLUSTER_NAME").unwrap_or_else(|_| "chatcluster-bench".to_owned());
        let target = Target::Own { name };
        sh::run(&mut target.script("build"))?;
        sh::run_shielded(&mut target.script("sim-down"))?;
        let rendered = chart::render(&["--set", &format!("defaults.redisImage={}", install::REDIS)])?;
        let control = Self { target, keep, objects: serde_saphyr::from_multiple(&rendered)? };
        let nodes =
            if run.pods { (run.clusters * PODS_OF_A_CLUSTER).div_ceil(PODS_ON_A_NODE) + 2 } else { 1 };
        let mut sim = control.target.script("sim");
        sim.arg(nodes.to_string());
        if !run.pods {
            sim.env("CLUSTER_CONTROLLERS", MAKERS_OF_PODS);
        }
        sh::run(&mut sim)?;
        sh::quiet(control.exec("ip").args(["route", "add", "local", PODS, "dev", "lo"]))?;
        control.install()?;
        Ok(control)
    }

    /// A command in its network, as administrator.
    pub(super) fn exec(&self, program: impl AsRef<std::ffi::OsStr>) -> Command {
        let mut command = self.target.script("sim-exec");
        command.arg(program);
        command
    }

    /// The file with the API server's audit log.
    pub(super) fn audit_log(&self) -> PathBuf {
        self.folder().join("audit.log")
    }

    fn folder(&self) -> PathBuf {
        self.target.state().unwrap_or_default().join("sim")
    }

    fn install(&self) -> Result<()> {
        let installed = self.objects.iter().filter(|o| INSTALLED.iter().any(|kind| o["kind"] == *kind));
        let namespace = chart::NAMESPACE;
        let ours = [
            json!({"apiVersion": "v1", "kind": "ServiceAccount",
                   "metadata": {"name": BENCH, "namespace": namespace}}),
            json!({"apiVersion": "rbac.authorization.k8s.io/v1", "kind": "ClusterRoleBinding",
                   "metadata": {"name": BENCH},
                   "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole",
                               "name": "cluster-admin"},
                   "subjects": [{"kind": "ServiceAccount", "name": BENCH, "namespace": namespace}]}),
        ];
        let items: Vec<&Value> = installed.chain(&ours).collect();
        let file = self.folder().join("bench.json");
        std::fs::write(&file, json!({"apiVersion": "v1", "kind": "List", "items": items}).to_string())?;
        sh::quiet(self.exec("kubectl").args(["create", "namespace", namespace]))?;
        for file in [repo::root().join("crds"), file] {
            sh::quiet(self.exec("kubectl").args(["apply", "--server-side", "--filename"]).arg(file))?;
        }
        kube::established(|| Ok(self.exec("kubectl")))
    }

    /// A kubeconfig of the operator's service account.
    pub(super) fn operators_kubeconfig(&self) -> Result<PathBuf> {
        self.kubeconfig(OPERATOR)
    }

    /// A kubeconfig of the bench's service account.
    pub(super) fn kubeconfig_of_bench(&self) -> Result<PathBuf> {
        self.kubeconfig(BENCH)
    }

    fn kubeconfig(&self, account: &str) -> Result<PathBuf> {
        let kubectl = |args: &[&str]| sh::output(self.exec("kubectl").args(args));
        let token =
            kubectl(&["create", "token", account, "--namespace", chart::NAMESPACE, "--duration=24h"])?;
        let view = kubectl(&["config", "view", "--minify", "--flatten", "--output=json"])?;
        let mut config: Value = serde_json::from_str(&view)?;
        config["users"][0]["user"] = json!({"token": token.trim()});
        let path = self.folder().join(format!("{account}.conf"));
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path)?;
        file.write_all(config.to_string().as_bytes())?;
        Ok(path)
    }

    /// The environment of the operator's Deployment.
    pub(super) fn environment(&self) -> Result<Vec<(String, String)>> {
        environment(&self.objects)
    }
}

impl Drop for Control {
    fn drop(&mut self) {
        if self.keep {
            println!("kept: {}", sh::line(self.exec("kubectl").args(["get", "chatclusters", "-A"])));
        } else if let Err(e) = sh::run_shielded(&mut self.target.script("sim-down")) {
            eprintln!("{e:#}");
        }
    }
}

/// The environment that the Deployment among these objects sets, with fixed names in place of a pod's.
fn environment(objects: &[Value]) -> Result<Vec<(String, String)>> {
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment");
    let container =
        &deployment.context("the chart has a Deployment")?["spec"]["template"]["spec"]["containers"][0];
    ensure!(container["args"].is_null(), "the Deployment has arguments, which the bench does not pass on");
    let mut environment = Vec::new();
    for variable in container["env"].as_array().into_iter().flatten() {
        let name = variable["name"].as_str().context("a variable has a name")?;
        let field = variable["valueFrom"]["fieldRef"]["fieldPath"].as_str();
        let value = match (variable["value"].as_str(), field) {
            (Some(value), _) => value,
            (None, Some("metadata.name")) => OPERATOR,
            (None, Some("metadata.namespace")) => chart::NAMESPACE,
            _ => anyhow::bail!("the Deployment's {name} is of a kind that the bench does not know"),
        };
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok(environment)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_operator_gets_what_its_deployment_says() {
        let env = json!([
            {"name": "HTTP_PORT", "value": "8080"},
            {"name": "POD_NAME", "valueFrom": {"fieldRef": {"fieldPath": "metadata.name"}}},
        ]);
        let deployment =
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"containers": [{"env": env}]}}}});

        let got = environment(&[json!({"kind": "Service"}), deployment]).unwrap();

        let wanted = [("HTTP_PORT", "8080"), ("POD_NAME", "chatcluster-operator")];
        assert_eq!(got, wanted.map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert!(environment(&[]).is_err());
    }
}
