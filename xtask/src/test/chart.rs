//! Checks of the rendered chart, with the values of `charts/chatcluster/ci/*.yaml`, where every value is set,
//! and with all combinations of values that affect each other. tests/api/chart.rs applies the objects to an
//! API server.

use crate::{chart, sh};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;

/// Values that affect each other: each choice of a line is combined with each choice of the other lines.
const COMBINED: [&[&str]; 6] = [
    &["watchNamespaces=null", "watchNamespaces={team,other}"],
    &["replicas=1", "replicas=3"],
    &["networkPolicy.enabled=true", "networkPolicy.enabled=false"],
    &["otlpEndpoint=", "otlpEndpoint=http://collector"],
    &["crds.install=false", "crds.keep=true", "crds.keep=false"],
    &["serviceAccount.name=", "serviceAccount.create=false,serviceAccount.name=given"],
];

/// Values that the schema refuses, each with a word of the message.
const REFUSED: [(&str, &str); 13] = [
    ("unknown=1", "unknown"),
    ("image.unknown=1", "unknown"),
    ("image.digest=latest", "digest"),
    ("defaults.hubImage=hub@sha256:1", "hubImage"),
    ("watchNamespaces={Not_A_Name}", "watchNamespaces"),
    ("watchNamespaces={a,a}", "watchNamespaces"),
    ("replicas=-1", "replicas"),
    ("hold=perhaps", "hold"),
    ("otlpEndpoint=https://collector", "otlpEndpoint"),
    ("extraEnv[0].name=HUB_IMAGE", "extraEnv"),
    ("podLabels.app\\.kubernetes\\.io/name=mine", "podLabels"),
    ("serviceAccount.create=false", "serviceAccount"),
    ("networkPolicy.apiServerPorts={}", "apiServerPorts"),
];

pub(super) fn helm_lint() -> Result<()> {
    for file in cases()? {
        let mut helm = chart::helm()?;
        sh::quiet(helm.args(["lint", "--strict", "--values"]).arg(file).arg(chart::folder()))?;
    }
    Ok(())
}

pub(super) fn templates() -> Result<()> {
    let files = cases()?;
    for path in chart::values()? {
        let mut set = false;
        for file in &files {
            let values: Value = serde_saphyr::from_str(&fs::read_to_string(file)?)?;
            let value = path.split('.').try_fold(&values, |node, name| node.get(name));
            set |= value.is_some();
        }
        ensure!(set, "no file of charts/chatcluster/ci sets {path}");
    }
    for file in &files {
        let rendered = Rendered::with(&["--values".to_owned(), file.display().to_string()])?;
        rendered.check().with_context(|| format!("with {}", file.display()))?;
    }
    for values in combinations(&COMBINED) {
        let values = values.join(",");
        Rendered::with(&["--set".to_owned(), values.clone()])?
            .check()
            .with_context(|| format!("with {values}"))?;
    }
    for (value, word) in REFUSED {
        match chart::render(&["--set", value]) {
            Ok(_) => anyhow::bail!("the schema of the values takes {value}"),
            Err(error) => {
                ensure!(error.to_string().contains(word), "{value} is refused without a word of it: {error}");
            }
        }
    }
    Ok(())
}

fn cases() -> Result<Vec<PathBuf>> {
    let folder = fs::read_dir(chart::folder().join("ci"))?;
    let mut files = folder.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    Ok(files)
}

fn combinations<'a>(choices: &[&[&'a str]]) -> Vec<Vec<&'a str>> {
    choices.iter().fold(vec![Vec::new()], |chosen, next| {
        chosen
            .iter()
            .flat_map(|so_far| next.iter().map(move |value| [&so_far[..], &[*value]].concat()))
            .collect()
    })
}

struct Rendered(Vec<Value>);

impl Rendered {
    fn with(options: &[String]) -> Result<Self> {
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        // manifests/install.yaml leaves out the pod of `helm test`; these objects include it.
        let text = chart::render_all(&options)?;
        let objects: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        Ok(Self(objects.into_iter().filter(|object| !object.is_null()).collect()))
    }

    fn of_kind<'a>(&'a self, kind: &'a str) -> impl Iterator<Item = &'a Value> {
        self.0.iter().filter(move |object| object["kind"] == kind)
    }

    fn check(&self) -> Result<()> {
        for object in &self.0 {
            let name = |key: &str| object["metadata"][key].as_str().unwrap_or_default();
            let what = format!("{} {}", object["kind"].as_str().unwrap_or("?"), name("name"));
            ensure!(object["apiVersion"].is_string() && !name("name").is_empty(), "{what} is no object");
            let of_the_cluster = matches!(
                object["kind"].as_str(),
                Some("ClusterRole" | "ClusterRoleBinding" | "CustomResourceDefinition")
            );
            ensure!(
                name("namespace").is_empty() == of_the_cluster,
                "{what} is in the namespace {:?}",
                name("namespace")
            );
        }
        let deployment = self.of_kind("Deployment").next().context("no Deployment")?;
        let pod = &deployment["spec"]["template"]["spec"];
        for pod in self.of_kind("Pod").map(|pod| &pod["spec"]).chain([pod]) {
            restricted(pod)?;
        }
        self.check_rights(&watched(pod))?;
        let operators = deployment["spec"]["replicas"].as_u64().unwrap_or(1);
        ensure!(
            operators > 1 || self.of_kind("PodDisruptionBudget").count() == 0,
            "a budget for one operator blocks drains"
        );
        Ok(())
    }

    /// Checks that an operator for certain namespaces has no rights beyond them.
    fn check_rights(&self, watched: &[String]) -> Result<()> {
        let account =
            self.of_kind("Deployment").map(|d| &d["spec"]["template"]["spec"]["serviceAccountName"]).next();
        let whole = self
            .of_kind("ClusterRoleBinding")
            .filter(|binding| binding["subjects"].to_string().contains("ServiceAccount"));
        ensure!(
            (whole.count() == 0) != watched.is_empty(),
            "rights over the cluster, or none, against watchNamespaces"
        );
        let secrets = |role: &Value| role["rules"].to_string().contains("\"secrets\"");
        let mut open: Vec<&str> = self
            .of_kind("Role")
            .filter(|role| secrets(role))
            .filter_map(|role| role["metadata"]["namespace"].as_str())
            .collect();
        open.sort_unstable();
        ensure!(open == watched, "Secrets are open in {open:?} and not in {watched:?}");
        for binding in self.of_kind("RoleBinding").chain(self.of_kind("ClusterRoleBinding")) {
            ensure!(Some(&binding["subjects"][0]["name"]) == account, "bound to another account: {binding}");
        }
        Ok(())
    }
}

/// The namespaces that the operator is told to serve, sorted.
fn watched(pod: &Value) -> Vec<String> {
    let env = pod["containers"][0]["env"].as_array().map(Vec::as_slice).unwrap_or_default();
    let named = env.iter().find(|variable| variable["name"] == "WATCH_NAMESPACES");
    let list = named.and_then(|variable| variable["value"].as_str());
    let mut watched: Vec<String> =
        list.map(|list| list.split(',').map(str::to_owned).collect()).unwrap_or_default();
    watched.sort();
    watched
}

/// Checks the rules of <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted> that
/// a pod of ours could break.
fn restricted(pod: &Value) -> Result<()> {
    let of_pod = &pod["securityContext"];
    ensure!(of_pod["seccompProfile"]["type"] == "RuntimeDefault", "seccomp: {of_pod}");
    for forbidden in ["hostNetwork", "hostPID", "hostIPC", "volumes"] {
        ensure!(pod[forbidden].is_null(), "{forbidden}: {}", pod[forbidden]);
    }
    for container in pod["containers"].as_array().context("containers")? {
        let own = &container["securityContext"];
        ensure!(own["allowPrivilegeEscalation"] == false, "privilege escalation: {own}");
        ensure!(
            own["capabilities"]["drop"][0] == "ALL" && own["capabilities"]["add"].is_null(),
            "capabilities: {own}"
        );
        ensure!(own["readOnlyRootFilesystem"] == true, "a root file system that can be written: {own}");
        ensure!(of_pod["runAsNonRoot"] == true || own["runAsNonRoot"] == true, "root: {own}");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn each_choice_is_made_with_each_other() {
        assert_eq!(
            combinations(&[&["a", "b"], &["c"], &["d", "e"]]),
            [["a", "c", "d"], ["a", "c", "e"], ["b", "c", "d"], ["b", "c", "e"]]
        );
    }

    #[test]
    fn a_pod_that_may_be_root_is_refused() {
        let own = json!({
            "allowPrivilegeEscalation": false, "readOnlyRootFilesystem": true, "capabilities": {"drop": ["ALL"]},
        });
        let pod = |root: bool| {
            json!({
                "securityContext": {"runAsNonRoot": !root, "seccompProfile": {"type": "RuntimeDefault"}},
                "containers": [{"securityContext": own}],
            })
        };

        assert!(restricted(&pod(false)).is_ok());
        assert!(restricted(&pod(true)).is_err());
    }

    #[test]
    fn rights_beyond_the_namespaces_that_are_served_are_noticed() {
        let deployment =
            json!({"kind": "Deployment", "spec": {"template": {"spec": {"serviceAccountName": "operator"}}}});
        let role = |namespace: &str| json!({"kind": "Role", "metadata": {"namespace": namespace}, "rules": [{"resources": ["secrets"]}]});
        let binding = json!({"kind": "ClusterRoleBinding", "subjects": [{"kind": "ServiceAccount", "name": "operator"}]});
        let team = ["team".to_owned()];

        assert!(Rendered(vec![deployment.clone(), role("team")]).check_rights(&team).is_ok());
        assert!(Rendered(vec![deployment.clone(), role("team"), role("other")]).check_rights(&team).is_err());
        assert!(
            Rendered(vec![deployment.clone(), role("team"), binding.clone()]).check_rights(&team).is_err()
        );
        assert!(Rendered(vec![deployment, binding]).check_rights(&[]).is_ok());
    }
}
