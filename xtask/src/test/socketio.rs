//! Builds the image of `samples/socketio` for the end-to-end tests, with the machine's own Node.js.

use crate::images::{self, Builder, Image};
use crate::{repo, sh};
use anyhow::{Context, Result};
use std::fs;
use std::path::{Path, PathBuf};

/// The image's reference in `manifests/samples/socketio.yaml`.
const REFERENCE: &str = "registry.example.com/team/socketio-chat:1.0";
/// The files of the sample that the image contains beside packages, as in the sample's Dockerfile.
const FILES: [&str; 4] = ["package.json", "package-lock.json", "server.mjs", "index.html"];

/// Builds the image if its inputs have changed. The sample's packages must be installed.
pub(super) fn image() -> Result<Image> {
    let sample = repo::root().join("samples/socketio");
    let dockerfile = repo::root().join("tests/e2e/socketio.Dockerfile");
    let node = sh::output(&mut sh::cmd("node", ["-p", "process.execPath + ' ' + process.version"]))?;
    let mut inputs: Vec<PathBuf> = FILES.iter().map(|file| sample.join(file)).collect();
    inputs.push(dockerfile.clone());
    let inputs: Vec<&Path> = inputs.iter().map(PathBuf::as_path).collect();
    let digest = images::digest(&inputs, &format!("{REFERENCE} {node}"))?;

    let dir = repo::scratch("images")?;
    let archive = dir.join("socketio-chat.tar");
    let stamp = dir.join("socketio-chat.digest");
    if !archive.is_file() || fs::read_to_string(&stamp).ok().as_ref() != Some(&digest) {
        println!("building image {REFERENCE}");
        let context = dir.join("socketio-chat");
        let _ = fs::remove_dir_all(&context);
        let root = context.join("root");
        let (node, _version) = node.rsplit_once(' ').context("node says where it is")?;
        program(Path::new(node), &root)?;
        let app = root.join("app");
        fs::create_dir_all(&app)?;
        for file in FILES {
            fs::copy(sample.join(file), app.join(file)).with_context(|| format!("cannot copy {file}"))?;
        }
        sh::quiet(sh::cmd("cp", ["-R"]).arg(sample.join("node_modules")).arg(&app))?;
        Builder::find()?.build(&dockerfile, &context, REFERENCE, &archive)?;
        fs::remove_dir_all(&context)?;
        fs::write(stamp, &digest)?;
    }
    Ok(Image { name: "socketio-chat", reference: REFERENCE.to_owned(), archive, digest })
}

/// Copies a program to `/usr/bin`, and the shared libraries that it loads to their paths.
fn program(program: &Path, root: &Path) -> Result<()> {
    let name = program.file_name().context("a program has a name")?;
    copy(program, &root.join("usr/bin").join(name))?;
    for library in libraries(&sh::output(&mut sh::cmd("ldd", [program]))?) {
        copy(Path::new(library), &root.join(library.trim_start_matches('/')))?;
    }
    Ok(())
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to.parent().unwrap_or(to))?;
    fs::copy(from, to).with_context(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
    Ok(())
}

/// The files in ldd's output: `libm.so.6 => /lib/libm.so.6 (0x…)`, and the loader, whose line has no arrow.
fn libraries(ldd: &str) -> Vec<&str> {
    ldd.split_whitespace().filter(|word| word.starts_with('/')).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn libraries_and_the_loader_are_found_and_the_kernels_own_is_none() {
        let says = "\tlinux-vdso.so.1 (0x1)\n\tlibm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x2)\n\t/lib64/ld-linux-x86-64.so.2 (0x3)\n";
        assert_eq!(libraries(says), ["/lib/x86_64-linux-gnu/libm.so.6", "/lib64/ld-linux-x86-64.so.2"]);
    }
}
