//! The drivers of the real clients. Their packages are installed at first use, as their lock files say.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// A client library.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// npm's `@microsoft/signalr`.
    Npm,
    /// Python's `signalrcore`.
    Python,
    /// Java's `com.microsoft.signalr`.
    Java,
}

impl Kind {
    /// The command of the driver, which takes a URL, a transport and a protocol.
    pub(crate) fn driver(self) -> tokio::process::Command {
        match self {
            Self::Npm => npm(),
            Self::Python => python(),
            Self::Java => java(),
        }
    }
}

fn npm() -> tokio::process::Command {
    let mut command = tokio::process::Command::new("node");
    command.arg(packages("client").join("driver.mjs"));
    command
}

/// A folder of `hub/tests`, with npm's packages of its lock file installed.
pub(super) fn packages(name: &str) -> PathBuf {
    let folder = source(name);
    let lock_path = folder.join("package-lock.json");
    let _lock = lock(&lock_path);
    let changed = |path: &Path| path.metadata().and_then(|m| m.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    if changed(&folder.join("node_modules/.package-lock.json")) < changed(&lock_path) {
        run(Command::new("npm").args(["ci", "--no-audit", "--no-fund"]).current_dir(&folder), "npm");
    }
    folder
}

fn python() -> tokio::process::Command {
    let folder = source("client-python");
    let requirements = folder.join("requirements.txt");
    let target = installed("client-python", &[&requirements], |target| {
        run(Command::new("python3").args(["-m", "venv"]).arg(target), "python3 and python3-venv");
        let pip = ["-m", "pip", "install", "--quiet", "--no-deps", "--disable-pip-version-check", "-r"];
        run(Command::new(target.join("bin/python")).args(pip).arg(&requirements), "python3-venv");
    });
    let mut command = tokio::process::Command::new(target.join("bin/python"));
    command.arg(folder.join("driver.py"));
    command
}

fn java() -> tokio::process::Command {
    let folder = source("client-java");
    let sources = [&folder.join("pom.xml"), &folder.join("src/main/java/Driver.java")];
    let target = installed("client-java", &sources, |target| {
        let goals = ["--batch-mode", "--quiet", "compile", "dependency:copy-dependencies"];
        let directory = format!("-Dclient.directory={}", target.display());
        run(Command::new("mvn").args(goals).arg(directory).current_dir(&folder), "maven and a JDK");
    });
    let mut command = tokio::process::Command::new("java");
    // The process runs only for seconds, so a quick start is worth more than quick code.
    command.args(["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xshare:auto", "-cp"]);
    command.arg(format!("{0}/classes:{0}/dependency/*", target.display())).arg("Driver");
    command
}

/// A folder of `hub/tests`.
fn source(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(name)
}

/// A folder in cargo's target folder, which `install` fills again whenever `sources` have changed.
fn installed(name: &str, sources: &[&PathBuf], install: impl FnOnce(&Path)) -> PathBuf {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _lock = lock(sources[0]);
    let read = |path: &&PathBuf| std::fs::read(path).expect("a source can be read");
    let wanted: Vec<_> = sources.iter().map(read).collect();
    let stamp = target.join("installed-from");
    if std::fs::read(&stamp).ok() != Some(wanted.concat()) {
        let _ = std::fs::remove_dir_all(&target);
        std::fs::create_dir_all(&target).expect("a folder in cargo's target");
        install(&target);
        std::fs::write(&stamp, wanted.concat()).expect("a file in cargo's target");
    }
    target
}

/// A lock, held until dropped: tests run side by side, and only one of them may install.
fn lock(path: &Path) -> File {
    let file = File::open(path).expect("the file exists");
    file.lock().expect("the file can be locked");
    file
}

fn run(command: &mut Command, needs: &str) {
    let advice = format!("these tests need {needs} in PATH: `cargo xtask deps` installs what is missing");
    let Output { status, stdout, stderr } =
        command.output().unwrap_or_else(|error| panic!("{command:?}: {error}; {advice}"));
    let said = [stdout, stderr].concat();
    assert!(status.success(), "{command:?}: {}\n{advice}", String::from_utf8_lossy(&said));
}
