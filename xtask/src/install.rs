//! Installs chatcluster on a cluster: images on its nodes or in its registry, then the Helm chart.

use crate::images::{self, Image};
use crate::target::Target;
use crate::{chart, repo, sh};
use anyhow::{Context, Result, ensure};
use std::path::Path;

/// The Redis image that `cluster/` builds, so that nothing has to be pulled.
pub(crate) const REDIS: &str = "localhost/redis:7.0.15";

/// Installs the chart of this repository, or upgrades to it. Returns when the operator is ready.
pub(crate) fn install(target: &Target, values: &[String]) -> Result<()> {
    release(target, &chart::folder(), values, &["--wait", "--timeout", "120s"])
        .with_context(|| format!("the operator did not become ready. {}", hint(target)))
}

/// Installs a chart, or upgrades the installed one to it.
pub(crate) fn release(target: &Target, chart: &Path, values: &[String], options: &[&str]) -> Result<()> {
    let mut helm = target.helm()?;
    helm.args(["upgrade", "--install", "chatcluster", "--namespace", chart::NAMESPACE, "--create-namespace"]);
    helm.arg(chart).args(options);
    for value in values {
        helm.args(["--set-string", value]);
    }
    sh::quiet(&mut helm)
}

/// Makes images available to the nodes. Returns the values of the chart that refer to them.
pub(crate) fn values(target: &Target, images: &[Image], registry: Option<&str>) -> Result<Vec<String>> {
    let mut values = match registry {
        Some(registry) => pushed(images, registry)?,
        None => loaded(target, images)?,
    };
    if let Some(redis) = redis(target)? {
        values.push(format!("defaults.redisImage={redis}"));
    }
    Ok(values)
}

/// The command with which to look at an operator that does not start.
fn hint(target: &Target) -> String {
    let kubectl = match target {
        Target::Own { .. } => "cargo xtask cluster kubectl --",
        _ => "kubectl",
    };
    format!("See: {kubectl} -n {} describe pods", chart::NAMESPACE)
}

fn pushed(images: &[Image], registry: &str) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for image in images {
        values.extend(value(image, &images::push(image, registry)?)?);
    }
    Ok(values)
}

fn loaded(target: &Target, images: &[Image]) -> Result<Vec<String>> {
    let mut values = Vec::new();
    for image in images {
        images::load(target, image)?;
        values.extend(value(image, &image.reference)?);
    }
    Ok(values)
}

/// The chart's values for one image.
fn value(image: &Image, reference: &str) -> Result<Vec<String>> {
    if image.name == "chatcluster-hub" {
        return Ok(vec![format!("defaults.hubImage={reference}")]);
    }
    let (repository, tag) = reference.rsplit_once(':').context("an image has a tag")?;
    Ok(vec![format!("image.repository={repository}"), format!("image.tag={tag}")])
}

/// The Redis image to use in place of the chart's default, if one can be loaded.
fn redis(target: &Target) -> Result<Option<&'static str>> {
    match target {
        Target::Own { .. } => Ok(Some(REDIS)),
        Target::Kind { .. } => {
            let archive = repo::cluster_cache().join("images/redis.tar");
            if !archive.is_file() {
                return Ok(None); // the chart's default is pulled
            }
            target.load(&archive)?;
            Ok(Some(REDIS))
        }
        Target::Context { .. } => Ok(None),
    }
}

/// Uninstalls the sample and the operator.
pub(crate) fn uninstall(target: &Target) -> Result<()> {
    ensure!(matches!(target, Target::Context { .. }), "other clusters are ended whole");
    let kubectl = |args: &[&str]| sh::run(target.kubectl()?.args(args));
    kubectl(&["delete", "--ignore-not-found", "-f", &sample("lobby").display().to_string()])?;
    sh::run(target.helm()?.args([
        "uninstall",
        "chatcluster",
        "--ignore-not-found",
        "--namespace",
        chart::NAMESPACE,
    ]))?;
    println!(
        "Kept: Redis's volume (kubectl delete pvc data-lobby-redis-0), and the CRD with any other ChatCluster"
    );
    Ok(())
}

pub(crate) fn sample(name: &str) -> std::path::PathBuf {
    repo::root().join(format!("manifests/samples/{name}.yaml"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_registry_with_a_port_is_not_mistaken_for_a_tag() {
        let image = Image {
            name: "chatcluster-operator",
            reference: String::new(),
            archive: std::path::PathBuf::new(),
            digest: String::new(),
        };
        let got = value(&image, "registry:5000/team/chatcluster-operator:0.1.0").unwrap();
        assert_eq!(got, ["image.repository=registry:5000/team/chatcluster-operator", "image.tag=0.1.0"]);
    }
}
