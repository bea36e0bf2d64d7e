//! The program that builds images here: Docker or buildah, whichever is there.

use crate::target::docker_works;
use crate::{repo, sh};
use anyhow::Result;
use std::fs;
use std::path::Path;
use std::process::Command;

/// The program that builds images here.
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
                let _ = fs::remove_file(archive); // buildah refuses an archive that has the image
                sh::quiet(
                    buildah()?.args(["bud", "-q", "-t", reference, "-f"]).arg(dockerfile).arg(context),
                )?;
                let to = format!("docker-archive:{}:{reference}", archive.display());
                sh::quiet(buildah()?.args(["push", "-q", reference, &to]))
            }
        }
    }

    /// Pushes an image from its archive to a registry, under the name `there`.
    pub(super) fn push(&self, archive: &Path, reference: &str, there: &str) -> Result<()> {
        match self {
            Self::Docker => {
                sh::quiet(docker().args(["load", "-q", "-i"]).arg(archive))?;
                sh::quiet(docker().args(["tag", reference, there]))?;
                sh::run(docker().args(["push", there]))
            }
            Self::Buildah => {
                let from = format!("docker-archive:{}", archive.display());
                let id = sh::output(buildah()?.args(["pull", "-q", &from]))?;
                // As with Docker, a registry on this machine needs no certificate.
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

/// buildah with a store of its own, of plain copies, which work on any file system.
fn buildah() -> Result<Command> {
    let store = repo::scratch("images/store")?;
    let mut c = sh::cmd("buildah", ["--storage-driver", "vfs", "--root"]);
    c.arg(store.join("root")).arg("--runroot").arg(store.join("run"));
    Ok(c)
}
