//! Delivers images to a cluster: onto its nodes, or into the registry that they pull from.

use super::build::Image;
use super::builder::Builder;
use crate::target::Target;
use crate::{kube, repo, sh};
use anyhow::Result;

/// Pushes an image to a registry. Returns its reference there.
pub(crate) fn push(image: &Image, registry: &str) -> Result<String> {
    let there = format!("{}/{}:{}", registry.trim_end_matches('/'), image.name, repo::VERSION);
    Builder::find()?.push(&image.archive, &image.reference, &there)?;
    Ok(there)
}

/// Loads an image on the nodes. If another image had the same tag before, the pods that run it are deleted,
/// and so recreated. A note in the cluster itself says which image was loaded, since several clones of the
/// repository may use one cluster.
pub(crate) fn load(target: &Target, image: &Image) -> Result<()> {
    target.load(&image.archive)?;
    let note = format!("xtask.chatcluster.dev/{}", image.name);
    let system = kube::get(target, &["namespace", "kube-system"])?;
    let before = system["metadata"]["annotations"][&note].as_str();
    if before.is_some_and(|digest| digest != image.digest) {
        let pods = ["-A", "-l", selector(image), "--ignore-not-found", "--wait=false"];
        sh::quiet(target.kubectl()?.args(["delete", "pods"]).args(pods))?;
    }
    let note = format!("{note}={}", image.digest);
    sh::quiet(target.kubectl()?.args(["annotate", "namespace", "kube-system", "--overwrite", &note]))
}

fn selector(image: &Image) -> &'static str {
    match image.name {
        "chatcluster-hub" => "app.kubernetes.io/part-of=chatcluster,app.kubernetes.io/component=hub",
        _ => "app.kubernetes.io/name=chatcluster-operator",
    }
}
