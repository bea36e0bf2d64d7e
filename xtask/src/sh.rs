//! Runs tools. An error shows the command as one would type it, and the tool's output.

use crate::{interrupt, repo};
use anyhow::{Context, Result, bail};
use std::env;
use std::ffi::OsStr;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// `cmd("git", ["status"])`
pub(crate) fn cmd<A: AsRef<OsStr>>(program: impl AsRef<OsStr>, args: impl IntoIterator<Item = A>) -> Command {
    let mut c = Command::new(program);
    c.args(args);
    c
}

/// cargo at the root of the workspace, without the variables that the outer cargo has set: the build scripts
/// of some crates depend on them, and would be compiled again with each change between the two environments.
pub(crate) fn cargo<A: AsRef<OsStr>>(args: impl IntoIterator<Item = A>) -> Command {
    let mut c = cmd("cargo", args);
    for (name, _) in env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") {
            c.env_remove(&name);
        }
    }
    c.current_dir(repo::root());
    c
}

/// Runs to the end, with our output. A signal to us ends it, and is an error.
pub(crate) fn run(c: &mut Command) -> Result<()> {
    interrupt::check()?;
    let mut child = c.spawn().with_context(|| missing(c))?;
    let status = loop {
        if interrupt::asked() {
            end(&mut child);
            interrupt::check()?;
        }
        match child.try_wait()? {
            Some(status) => break status,
            None => sleep(Duration::from_millis(20)),
        }
    };
    if status.success() {
        return Ok(());
    }
    // A tool in the same terminal may see Ctrl-C before our own flag is checked.
    interrupt::check()?;
    bail!("`{}` failed ({status})", line(c))
}

/// Runs to the end, unaffected by Ctrl-C: for cleaning up.
pub(crate) fn run_shielded(c: &mut Command) -> Result<()> {
    let status = c.process_group(0).status().with_context(|| missing(c))?;
    if status.success() { Ok(()) } else { bail!("`{}` failed ({status})", line(c)) }
}

/// Returns its standard output. If it fails, the error contains everything that it printed.
pub(crate) fn output(c: &mut Command) -> Result<String> {
    interrupt::check()?;
    let out = c.stdin(Stdio::null()).output().with_context(|| missing(c))?;
    if !out.status.success() {
        interrupt::check()?;
        let said = [out.stdout, out.stderr].concat();
        bail!("`{}` failed ({}):\n{}", line(c), out.status, String::from_utf8_lossy(&said).trim());
    }
    Ok(String::from_utf8(out.stdout)?)
}

/// Runs silently; if it fails, the error contains its output.
pub(crate) fn quiet(c: &mut Command) -> Result<()> {
    output(c).map(drop)
}

/// True if it succeeds; silent.
pub(crate) fn works(c: &mut Command) -> bool {
    c.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok_and(|s| s.success())
}

/// True if a program of this name is in the PATH.
pub(crate) fn in_path(program: &str) -> bool {
    std::env::var_os("PATH").is_some_and(|p| std::env::split_paths(&p).any(|d| d.join(program).is_file()))
}

/// Asks a child to end, and kills it after ten seconds.
pub(crate) fn end(child: &mut Child) {
    let _ = works(&mut cmd("kill", ["-TERM", &child.id().to_string()]));
    let patience = Instant::now() + Duration::from_secs(10);
    while Instant::now() < patience {
        if matches!(child.try_wait(), Ok(Some(_))) {
            return;
        }
        sleep(Duration::from_millis(20));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The command as one would type it, with the variables that were set for it.
pub(crate) fn line(c: &Command) -> String {
    let set = c
        .get_envs()
        .filter(|(k, _)| *k != "PATH") // long, and of no interest
        .filter_map(|(k, v)| Some(format!("{}={}", k.to_string_lossy(), quote(&v?.to_string_lossy()))));
    let words = std::iter::once(c.get_program()).chain(c.get_args()).map(|a| quote(&a.to_string_lossy()));
    set.chain(words).collect::<Vec<_>>().join(" ")
}

fn quote(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=,@%+".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

fn missing(c: &Command) -> String {
    format!(
        "cannot start `{}`: `cargo xtask deps` installs what is missing",
        c.get_program().to_string_lossy()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_line_can_be_typed_again() {
        let mut c = cmd("echo", ["a b", "it's", "c=d", ""]);
        assert_eq!(line(c.env("X", "y z").env_remove("Z")), r"X='y z' echo 'a b' 'it'\''s' c=d ''");
    }

    #[test]
    fn a_failure_carries_what_was_said() {
        let e = output(&mut cmd("sh", ["-c", "echo sorry >&2; exit 3"])).unwrap_err().to_string();
        assert!(e.contains("sorry") && e.contains('3'), "{e}");
    }
}
