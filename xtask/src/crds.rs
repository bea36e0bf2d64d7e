//! Generated files: the CRD, the chart's copy of it, and the chart rendered for those who have no helm.

use crate::{repo, sh};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// The namespace of the operator, where nothing else is asked for.
pub(crate) const NAMESPACE: &str = "chatcluster-system";

/// The oldest Kubernetes that the chart takes.
pub(crate) const OLDEST: &str = "1.31";

struct Generated {
    path: PathBuf,
    text: String,
}

pub(crate) fn run(check: bool) -> Result<()> {
    let crd = crd()?;
    let root = repo::root();
    let mut stale = Vec::new();
    let mut keep = |file: Generated| -> Result<()> {
        if fs::read_to_string(&file.path).ok().as_ref() != Some(&file.text) {
            if !check {
                let folder = file.path.parent().context("a file is in a folder")?;
                fs::create_dir_all(folder)?;
                fs::write(&file.path, file.text)?;
            }
            stale.push(file.path);
        }
        Ok(())
    };
    keep(Generated { path: root.join("crds/chatclusters.yaml"), text: crd.clone() })?;
    keep(Generated { path: chart().join("files/chatclusters.yaml"), text: crd })?;
    keep(Generated { path: root.join("manifests/install.yaml"), text: install_manifest()? })?;

    let names =
        stale.iter().map(|p| p.strip_prefix(&root).unwrap_or(p).display().to_string()).collect::<Vec<_>>();
    if check && !names.is_empty() {
        bail!("stale: {}; `cargo xtask crds` writes them", names.join(", "));
    }
    for name in names {
        println!("wrote {name}");
    }
    Ok(())
}

/// The chart's folder.
pub(crate) fn chart() -> PathBuf {
    repo::root().join("charts/chatcluster")
}

/// The CRD as the operator prints it.
fn crd() -> Result<String> {
    let run = [
        "run",
        "--quiet",
        "--locked",
        "--package",
        "chatcluster",
        "--bin",
        "chatcluster-operator",
        "--",
        "crd",
    ];
    let yaml = sh::output(&mut sh::cargo(run))?;
    anyhow::ensure!(
        yaml.contains("kind: CustomResourceDefinition"),
        "`chatcluster-operator crd` printed no CRD"
    );
    Ok(generated(&yaml))
}

/// The namespace, and the chart rendered into it.
fn install_manifest() -> Result<String> {
    let mut helm = pinned_helm()?;
    // Without a cluster to ask, helm believes in a version of its own.
    helm.args([
        "template",
        "chatcluster",
        "--skip-tests",
        "--namespace",
        NAMESPACE,
        "--kube-version",
        OLDEST,
    ])
    .arg(chart());
    let chart = sh::output(&mut helm)?;
    let namespace = format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {NAMESPACE}\n  labels:\n    \
         pod-security.kubernetes.io/enforce: restricted\n"
    );
    Ok(generated(&format!("{namespace}{chart}")))
}

/// The helm of `cluster/`: another version might render otherwise. Built if need be.
pub(crate) fn pinned_helm() -> Result<Command> {
    sh::run(&mut sh::cmd(repo::cluster_script(), ["build", "helm"])).context("helm is built with Go")?;
    Ok(Command::new(repo::cluster_cache().join("bin/helm")))
}

fn generated(yaml: &str) -> String {
    format!("# Generated: regenerate with `cargo xtask crds`.\n{}\n", yaml.trim_end())
}
