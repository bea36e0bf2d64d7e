//! What the machine lacks: said first, with the reason, then installed.

use crate::{repo, sh};
use anyhow::{Result, ensure};

/// Beside the cluster's packages, which `cluster/cluster missing` knows: name, the program that shows it is there, why.
const PACKAGES: [(&str, &str, &str); 5] = [
    ("musl-tools", "musl-gcc", "links the static binaries of the images"),
    ("shellcheck", "shellcheck", "checks the scripts"),
    ("chromium", "chromium", "opens the chat page in the end-to-end tests"),
    ("nodejs", "node", "runs the npm client in the end-to-end tests, and the page's type check"),
    ("npm", "npm", "brings that client"),
];

/// How much of it.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum For {
    /// Images, and a cluster if it is our own
    Demo { own_cluster: bool },
    /// All
    Tests,
}

#[derive(Debug, PartialEq, Eq)]
struct Missing {
    name: String,
    why: &'static str,
}

pub(crate) fn run(list: bool) -> Result<()> {
    if list {
        say(&packages(For::Tests)?, rustup_lacks_target());
        return Ok(());
    }
    ensure(For::Tests)?;
    println!("nothing is missing");
    Ok(())
}

/// Installs what is missing, having said so. Needs root only then.
pub(crate) fn ensure(purpose: For) -> Result<()> {
    ensure!(
        sh::in_path("go") || !matches!(purpose, For::Demo { own_cluster: true } | For::Tests),
        "Go is needed to build the cluster's programs: install it from https://go.dev/dl/"
    );
    let missing = packages(purpose)?;
    say(&missing, rustup_lacks_target());
    if !missing.is_empty() {
        install(&missing)?;
    }
    rustup_target()
}

fn packages(purpose: For) -> Result<Vec<Missing>> {
    let cluster = "runs a cluster on this machine";
    let mut missing = Vec::new();
    if !matches!(purpose, For::Demo { own_cluster: false }) {
        let names = sh::output(&mut sh::cmd(repo::cluster_script(), ["missing"]))?;
        missing.extend(names.lines().map(|n| Missing { name: n.to_owned(), why: cluster }));
    }
    for (name, program, why) in PACKAGES {
        let wanted = purpose == For::Tests || name == "musl-tools";
        if wanted && !sh::in_path(program) && missing.iter().all(|m| m.name != name) {
            missing.push(Missing { name: name.to_owned(), why });
        }
    }
    Ok(missing)
}

fn say(missing: &[Missing], target: bool) {
    if missing.is_empty() && !target {
        return;
    }
    println!("This machine lacks, and now gets:");
    for m in missing {
        println!("  Debian package {:<34} {}", m.name, m.why);
    }
    if target {
        println!("  Rust target    {:<34} the images' binaries are static", musl_target());
    }
}

fn install(missing: &[Missing]) -> Result<()> {
    let names: Vec<_> = missing.iter().map(|m| m.name.as_str()).collect();
    let by_hand = format!("apt-get install --no-install-recommends {}", names.join(" "));
    ensure!(sh::in_path("apt-get"), "this is not Debian; install the likes of: {}", names.join(" "));
    ensure!(
        sh::output(&mut sh::cmd("id", ["-u"]))?.trim() == "0",
        "installing needs root. Run: sudo {by_hand}"
    );
    sh::quiet(&mut sh::cmd("apt-get", ["update", "-q"]))?;
    let mut apt = sh::cmd("apt-get", ["install", "-qqy", "--no-install-recommends"]);
    sh::quiet(apt.args(names).env("DEBIAN_FRONTEND", "noninteractive"))
}

/// The static target of this machine's architecture.
pub(crate) fn musl_target() -> String {
    format!("{}-unknown-linux-musl", std::env::consts::ARCH)
}

fn rustup_lacks_target() -> bool {
    let mut list = sh::cmd("rustup", ["target", "list", "--installed"]);
    sh::output(list.current_dir(repo::root())).is_ok_and(|l| !l.lines().any(|t| t == musl_target()))
}

/// Adds the static target, where Rust came with rustup and lacks it.
pub(crate) fn rustup_target() -> Result<()> {
    if rustup_lacks_target() {
        sh::run(sh::cmd("rustup", ["target", "add", &musl_target()]).current_dir(repo::root()))?;
    }
    Ok(())
}
