//! Programs that this machine lacks: they are listed first, each with the reason, and then installed.

use crate::{repo, sh};
use anyhow::{Result, ensure};

/// Debian packages beside those of the cluster, which `cluster/cluster missing` knows. Each has a name, the
/// program or command that shows whether it is there, and a reason.
const PACKAGES: [(&str, &[&str], &str); 9] = [
    ("musl-tools", &["musl-gcc"], "links the static binaries of the images"),
    ("nodejs", &["node"], "builds the chat page, and runs npm's client in tests"),
    ("npm", &["npm"], "installs the packages of the page and of that client"),
    ("shellcheck", &["shellcheck"], "checks the scripts"),
    ("chromium", &["chromium"], "opens the chat page in tests"),
    ("python3", &["python3"], "runs Python's client in the hub's tests"),
    ("python3-venv", &["python3", "-m", "ensurepip", "--version"], "keeps that client's packages apart"),
    ("default-jdk-headless", &["javac"], "compiles and runs Java's client in the hub's tests"),
    ("maven", &["mvn"], "brings that client"),
];
/// The packages that only tests need.
const FOR_TESTS: [&str; 6] =
    ["shellcheck", "chromium", "python3", "python3-venv", "default-jdk-headless", "maven"];

/// The oldest Node.js that builds the page; [`NODE`] comes from npm where Debian's is older.
const NODE_OLDEST: (u32, u32) = (20, 19);
const NODE: &str = "node@22.23.3";

/// The purpose for which programs are needed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// To build images, and to run a cluster if it is the project's own
    Demo { own_cluster: bool },
    /// To run every test
    Tests,
}

impl For {
    fn own_cluster(self) -> bool {
        !matches!(self, Self::Demo { own_cluster: false })
    }
}

#[derive(Debug, PartialEq, Eq)]
struct Missing {
    kind: &'static str,
    name: String,
    why: &'static str,
}

pub(crate) fn run(list: bool) -> Result<()> {
    if list {
        say(&all_missing(For::Tests)?);
        return Ok(());
    }
    ensure(For::Tests)?;
    println!("nothing is missing");
    Ok(())
}

/// Lists what is missing, and installs it. Only the installation needs root.
pub(crate) fn ensure(purpose: For) -> Result<()> {
    ensure!(
        sh::in_path("go") || !purpose.own_cluster(),
        "Go is needed to build the cluster's programs: install it from https://go.dev/dl/"
    );
    let missing = all_missing(purpose)?;
    say(&missing);
    let packages: Vec<_> = missing.iter().filter(|m| m.kind == DEBIAN).map(|m| m.name.as_str()).collect();
    if !packages.is_empty() {
        install(&packages)?;
    }
    if node_is_old() {
        sh::quiet(&mut sh::cmd(
            "npm",
            ["install", "--global", "--prefix", "/usr/local", "--allow-scripts=node", NODE],
        ))?;
        ensure!(!node_is_old(), "{NODE} is in /usr/local/bin, but another comes first in PATH");
    }
    if purpose == For::Tests
        && !(sh::works(&mut sh::cargo(["fmt", "--version"]))
            && sh::works(&mut sh::cargo(["clippy", "--version"])))
    {
        sh::run(sh::cmd("rustup", ["component", "add", "rustfmt", "clippy"]).current_dir(repo::root()))?;
    }
    rustup_target()
}

const DEBIAN: &str = "Debian package";

fn all_missing(purpose: For) -> Result<Vec<Missing>> {
    let mut missing = packages(purpose)?;
    let mut add = |kind, name: &str, why| missing.push(Missing { kind, name: name.to_owned(), why });
    if node_is_old() || !sh::in_path("node") {
        add("npm package", NODE, "if Debian's Node.js is too old for the page's tools");
    }
    if rustup_lacks_target() {
        add("Rust target", &musl_target(), "the images' binaries are static");
    }
    Ok(missing)
}

fn packages(purpose: For) -> Result<Vec<Missing>> {
    let mut missing = Vec::new();
    let mut add = |name: &str, why| missing.push(Missing { kind: DEBIAN, name: name.to_owned(), why });
    if purpose.own_cluster() {
        let names = sh::output(&mut sh::cmd(repo::cluster_script(), ["missing"]))?;
        names.lines().for_each(|name| add(name, "runs a cluster on this machine"));
    }
    for (name, shown_by, why) in PACKAGES {
        let wanted = purpose == For::Tests || !FOR_TESTS.contains(&name);
        if wanted && !is_there(shown_by) {
            add(name, why);
        }
    }
    missing.sort_by(|a, b| a.name.cmp(&b.name));
    missing.dedup_by(|a, b| a.name == b.name);
    Ok(missing)
}

fn is_there(shown_by: &[&str]) -> bool {
    match shown_by {
        [program] => sh::in_path(program),
        [program, arguments @ ..] => sh::works(&mut sh::cmd(program, arguments)),
        [] => true,
    }
}

fn say(missing: &[Missing]) {
    if !missing.is_empty() {
        println!("This machine lacks, and gets:");
    }
    for m in missing {
        println!("  {:<14} {:<32} {}", m.kind, m.name, m.why);
    }
}

fn install(packages: &[&str]) -> Result<()> {
    let list = packages.join(" ");
    ensure!(sh::in_path("apt-get"), "this is not Debian; install the likes of: {list}");
    let root = sh::output(&mut sh::cmd("id", ["-u"]))?.trim() == "0";
    ensure!(root, "installing needs root. Run: sudo apt-get install --no-install-recommends {list}");
    sh::quiet(&mut sh::cmd("apt-get", ["update", "-q"]))?;
    let mut apt = sh::cmd("apt-get", ["install", "-qqy", "--no-install-recommends"]);
    sh::quiet(apt.args(packages).env("DEBIAN_FRONTEND", "noninteractive"))
}

fn node_is_old() -> bool {
    let says = sh::output(&mut sh::cmd("node", ["--version"]));
    says.is_ok_and(|v| version(&v).is_some_and(|v| v < NODE_OLDEST))
}

/// The major and minor version of `v20.20.2`.
fn version(says: &str) -> Option<(u32, u32)> {
    let mut numbers = says.trim().strip_prefix('v')?.split('.').map(str::parse);
    Some((numbers.next()?.ok()?, numbers.next()?.ok()?))
}

/// The Rust target for static binaries on this machine's architecture.
pub(crate) fn musl_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn rustup_lacks_target() -> bool {
    let mut list = sh::cmd("rustup", ["target", "list", "--installed"]);
    sh::output(list.current_dir(repo::root())).is_ok_and(|l| !l.lines().any(|t| t == musl_target()))
}

/// Adds that target, if rustup manages Rust here and the target is missing.
pub(crate) fn rustup_target() -> Result<()> {
    if rustup_lacks_target() {
        sh::run(sh::cmd("rustup", ["target", "add", &musl_target()]).current_dir(repo::root()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn node_versions_compare_as_numbers() {
        assert_eq!(version("v20.20.2\n"), Some((20, 20)));
        assert!(version("v18.20.4").unwrap() < NODE_OLDEST);
        assert!(version("v20.9.0").unwrap() < NODE_OLDEST);
        assert!(version("v22.1.0").unwrap() >= NODE_OLDEST);
        assert_eq!(version("20"), None);
    }
}
