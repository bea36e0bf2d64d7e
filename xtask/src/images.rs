//! The operator's and the hub's image: static musl binaries on nothing, by Docker or buildah, whichever is there.

use crate::target::docker_works;
use crate::{cluster, deps, install, interrupt, repo, sh, target};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Push them to REGISTRY/chatcluster-operator and REGISTRY/chatcluster-hub, tagged with the version
    #[arg(long, value_name = "REGISTRY")]
    push: Option<String>,
    /// Give them to every node of the cluster
    #[arg(long)]
    load: bool,
    #[command(flatten)]
    at: crate::args::Where,
}

/// The programs, each of them an image of its own name.
const NAMES: [&str; 2] = ["chatcluster-operator", "chatcluster-hub"];

/// An image in an archive.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    /// `localhost/chatcluster-hub:0.3.0-dev`
    pub(crate) reference: String,
    /// A docker archive
    pub(crate) archive: PathBuf,
    /// Of all that went into it
    pub(crate) digest: String,
}

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    let images = build()?;
    for image in &images {
        println!("{}  {}", image.reference, image.archive.display());
        if let Some(registry) = &options.push {
            println!("pushed {}", push(image, registry)?);
        }
    }
    if options.load {
        let target = target::Target::choose(&options.at, cluster::OWN_NAME)?;
        for image in &images {
            install::load(&target, image)?;
        }
        println!("loaded on {}", target.describe());
    }
    Ok(())
}

/// Builds what is not built from the same inputs already.
pub(crate) fn build() -> Result<Vec<Image>> {
    let binaries = binaries()?;
    let builder = Builder::find()?;
    let dir = repo::scratch("images")?;
    NAMES
        .into_iter()
        .map(|name| {
            let dockerfile =
                repo::root().join("images").join(name.trim_start_matches("chatcluster-")).join("Dockerfile");
            let binary = binaries.join(name);
            let reference = format!("localhost/{name}:{}", repo::VERSION);
            let digest = digest(&[&dockerfile, &binary], &reference)?;
            let archive = dir.join(format!("{name}.tar"));
            let stamp = dir.join(format!("{name}.digest"));
            if !archive.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&digest) {
                println!("building image {reference}");
                let context = dir.join(name);
                fs::create_dir_all(&context)?;
                fs::copy(&binary, context.join(name))?;
                builder.build(&dockerfile, &context, &reference, &archive)?;
                fs::write(stamp, &digest)?;
            }
            Ok(Image { name, reference, archive, digest })
        })
        .collect()
}

/// Pushes an image to a registry; what it is called there.
pub(crate) fn push(image: &Image, registry: &str) -> Result<String> {
    let there = format!("{}/{}:{}", registry.trim_end_matches('/'), image.name, repo::VERSION);
    Builder::find()?.push(image, &there)?;
    Ok(there)
}

/// The folder with the static release binaries, up to date.
pub(crate) fn binaries() -> Result<PathBuf> {
    let triple = deps::musl_target();
    deps::rustup_target()?;
    let mut cargo = sh::cargo(["build", "--locked", "--release", "--target", &triple]);
    cargo.args(["--package", "chatcluster", "--package", "chatcluster-hub"]);
    for name in NAMES {
        cargo.args(["--bin", name]);
    }
    sh::run(&mut cargo)?;
    Ok(repo::target_dir().join(triple).join("release"))
}

/// Of these files and the name that they go by.
pub(crate) fn digest(files: &[&Path], reference: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(reference);
    for file in files {
        hash.update(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize()))
}

/// What makes images here.
pub(crate) enum Builder {
    Docker,
    Buildah,
}

impl Builder {
    pub(crate) fn find() -> Result<Self> {
        if docker_works() {
            return Ok(Self::Docker);
        }
        anyhow::ensure!(
            sh::in_path("buildah"),
            "neither Docker nor buildah is here: `cargo xtask deps` installs buildah"
        );
        Ok(Self::Buildah)
    }

    /// Builds an image, and writes it to a docker archive.
    pub(crate) fn build(
        &self,
        dockerfile: &Path,
        context: &Path,
        reference: &str,
        archive: &Path,
    ) -> Result<()> {
        match self {
            Self::Docker => {
                sh::quiet(
                    docker().args(["build", "-q", "-t", reference, "-f"]).arg(dockerfile).arg(context),
                )?;
                sh::quiet(docker().args(["save", reference, "-o"]).arg(archive))
            }
            Self::Buildah => {
                let _ = fs::remove_file(archive); // buildah adds to an archive, and refuses one that has the image
                sh::quiet(
                    buildah()?.args(["bud", "-q", "-t", reference, "-f"]).arg(dockerfile).arg(context),
                )?;
                let to = format!("docker-archive:{}:{reference}", archive.display());
                sh::quiet(buildah()?.args(["push", "-q", reference, &to]))
            }
        }
    }

    fn push(&self, image: &Image, there: &str) -> Result<()> {
        match self {
            Self::Docker => {
                sh::quiet(docker().args(["load", "-q", "-i"]).arg(&image.archive))?;
                sh::quiet(docker().args(["tag", &image.reference, there]))?;
                sh::run(docker().args(["push", there]))
            }
            Self::Buildah => {
                let from = format!("docker-archive:{}", image.archive.display());
                let id = sh::output(buildah()?.args(["pull", "-q", &from]))?;
                // As Docker has it: a registry on this machine needs no certificate.
                let local = there.starts_with("localhost:") || there.starts_with("127.0.0.1:");
                let tls = format!("--tls-verify={}", !local);
                sh::run(buildah()?.args(["push", &tls, id.trim(), &format!("docker://{there}")]))
            }
        }
    }
}

fn docker() -> Command {
    Command::new("docker")
}

/// buildah with a store of its own: plain copies, which any file system takes.
fn buildah() -> Result<Command> {
    let store = repo::scratch("images/store")?;
    let mut c = sh::cmd("buildah", ["--storage-driver", "vfs", "--root"]);
    c.arg(store.join("root")).arg("--runroot").arg(store.join("run"));
    Ok(c)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_name_or_another_content_is_another_digest() {
        let file = std::env::temp_dir().join(format!("xtask-digest-{}", std::process::id()));
        fs::write(&file, "a").unwrap();
        let first = digest(&[&file], "one").unwrap();
        assert_eq!(first, digest(&[&file], "one").unwrap());
        assert_ne!(first, digest(&[&file], "two").unwrap());
        fs::write(&file, "b").unwrap();
        assert_ne!(first, digest(&[&file], "one").unwrap());
        fs::remove_file(file).unwrap();
    }
}
