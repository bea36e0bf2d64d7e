//! Images of this workspace's programs, in archives.

use super::builder::Builder;
use crate::{deps, repo, sh};
use anyhow::{Context, Result};
use sha2::{Digest, Sha256};
use std::fs;
use std::path::{Path, PathBuf};

/// The programs; each becomes an image of the same name.
const NAMES: [&str; 2] = ["chatcluster-operator", "chatcluster-hub"];

/// An image in an archive.
pub(crate) struct Image {
    pub(crate) name: &'static str,
    /// `localhost/chatcluster-hub:0.3.0-dev`
    pub(crate) reference: String,
    /// A docker archive
    pub(crate) archive: PathBuf,
    /// A digest of all inputs
    pub(crate) digest: String,
}

/// Builds the images whose inputs have changed.
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

/// The folder with the static release binaries, which are built first.
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

/// A digest of these files and of the image's reference.
pub(crate) fn digest(files: &[&Path], reference: &str) -> Result<String> {
    let mut hash = Sha256::new();
    hash.update(reference);
    for file in files {
        hash.update(fs::read(file).with_context(|| format!("cannot read {}", file.display()))?);
    }
    Ok(format!("{:x}", hash.finalize()))
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
