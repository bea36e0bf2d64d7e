//! Generated files: the CRD, the chart's copy of it, the reference of its fields, the table of the chart's
//! values, and the rendered chart for people without helm.

use crate::{chart, reference, repo, sh};
use anyhow::{Context, Result, bail};
use std::fs;
use std::path::PathBuf;

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
    keep(Generated { path: root.join("docs/reference/spec.md"), text: reference::page(&crd)? })?;
    keep(Generated { path: root.join("crds/chatclusters.yaml"), text: crd.clone() })?;
    keep(Generated { path: chart::folder().join("files/chatclusters.yaml"), text: crd })?;
    keep(Generated { path: chart::folder().join("README.md"), text: markdown(&chart::readme()?) })?;
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
    let chart = chart::render(&[])?;
    let namespace = format!(
        "---\napiVersion: v1\nkind: Namespace\nmetadata:\n  name: {}\n  labels:\n    \
         pod-security.kubernetes.io/enforce: restricted\n",
        chart::NAMESPACE
    );
    Ok(generated(&format!("{namespace}{chart}")))
}

fn markdown(text: &str) -> String {
    format!("<!-- Generated from values.yaml: regenerate with `cargo xtask crds`. -->\n{text}")
}

fn generated(yaml: &str) -> String {
    format!("# Generated: regenerate with `cargo xtask crds`.\n{}\n", yaml.trim_end())
}
