//! The chart: its folder, its rendered objects, and the table of its values.

mod values;

use crate::{repo, sh};
use anyhow::{Context, Result, ensure};
use serde_json::Value;
use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

/// The operator's namespace, unless another is asked for.
pub(crate) const NAMESPACE: &str = "chatcluster-system";

/// The oldest Kubernetes that the chart accepts.
pub(crate) const OLDEST: &str = "1.31";

/// The chart's folder.
pub(crate) fn folder() -> PathBuf {
    repo::root().join("charts/chatcluster")
}

/// The helm of `cluster/`, which is built if need be: another version might render differently.
pub(crate) fn helm() -> Result<Command> {
    static BUILT: OnceLock<()> = OnceLock::new();
    if BUILT.get().is_none() {
        sh::run(&mut sh::cmd(repo::cluster_script(), ["build", "helm"])).context("helm is built with Go")?;
        let _ = BUILT.set(());
    }
    Ok(Command::new(repo::cluster_cache().join("bin/helm")))
}

/// Renders the chart without the pod of `helm test`. `options` are helm's, such as `--set`.
pub(crate) fn render(options: &[&str]) -> Result<String> {
    render_all(&[&["--skip-tests"], options].concat())
}

/// Renders the chart with the pod of `helm test`.
pub(crate) fn render_all(options: &[&str]) -> Result<String> {
    let mut helm = helm()?;
    // Without a cluster to ask, helm assumes a Kubernetes version of its own.
    helm.args(["template", "chatcluster", "--namespace", NAMESPACE, "--kube-version", OLDEST]);
    sh::output(helm.args(options).arg(folder()))
}

/// The names of all values, such as `image.tag`.
pub(crate) fn values() -> Result<Vec<String>> {
    let text = fs::read_to_string(folder().join("values.yaml"))?;
    Ok(values::parse(&text)?.into_iter().map(|value| value.path).collect())
}

/// Generates the chart's README: an introduction, and every value.
pub(crate) fn readme() -> Result<String> {
    let text = fs::read_to_string(folder().join("values.yaml"))?;
    let schema: Value = serde_json::from_str(&fs::read_to_string(folder().join("values.schema.json"))?)?;
    let values = values::parse(&text)?;
    let mut unknown = values.iter().filter(|value| !values::is_in(&schema, &value.path)).peekable();
    ensure!(
        unknown.peek().is_none(),
        "not in values.schema.json: {}",
        unknown.map(|value| value.path.as_str()).collect::<Vec<_>>().join(", ")
    );
    let undescribed = values::undescribed(&schema, &values);
    ensure!(
        undescribed.is_empty(),
        "in values.schema.json, and not in values.yaml: {}",
        undescribed.join(", ")
    );
    Ok(format!("{INTRODUCTION}{}", values::table(&values)))
}

const INTRODUCTION: &str = "\
# The chatcluster chart

This chart installs the chatcluster operator, its rights, and the ChatCluster CRD. One release serves a whole cluster, or only the
namespaces of `watchNamespaces`.

    helm install chatcluster charts/chatcluster --namespace chatcluster-system --create-namespace
    helm test chatcluster --namespace chatcluster-system

    helm upgrade chatcluster charts/chatcluster --namespace chatcluster-system --reset-then-reuse-values

An upgrade of the release also upgrades the CRD, which is a template of the chart and outlives the release (`crds.keep`). Do not use
`--reuse-values`: it ignores the defaults of new values. `CHANGELOG.md` lists the pods that an upgrade restarts; see also
`docs/operations.md` and `docs/security.md`.

## Values

";
