//! A Redis with a password, on loopback, for one run.

use super::listener;
use crate::{repo, sh};
use anyhow::{Context, Result, ensure};
use std::fs::{self, OpenOptions, Permissions};
use std::io::{Read, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

pub(super) struct Redis {
    process: Child,
    port: u16,
    folder: PathBuf,
}

impl Redis {
    /// Starts a Redis and waits until it listens. It keeps nothing on disk but, if asked to, its append-only
    /// file.
    pub(super) fn start(append_only: bool) -> Result<Self> {
        let port = listener::free_port()?;
        let folder = repo::scratch("bench")?.join(format!("redis-{port}"));
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder)?;
        fs::set_permissions(&folder, Permissions::from_mode(0o700))?;
        let password = password()?;
        let mut file =
            OpenOptions::new().create_new(true).write(true).mode(0o600).open(folder.join("password"))?;
        file.write_all(password.as_bytes())?;

        let mut command = program(&folder)?;
        // The configuration comes on standard input, so that no argument shows the password.
        command.arg("-").current_dir(&folder).stdin(Stdio::piped()).stdout(Stdio::null());
        let mut process = command.spawn().context("cannot start redis-server")?;
        let configuration = format!(
            "bind 127.0.0.1\nport {port}\nrequirepass {password}\nsave \"\"\nappendonly {}\n",
            if append_only { "yes" } else { "no" }
        );
        let input = process.stdin.take();
        let mut redis = Self { process, port, folder };
        input.context("Redis's input is a pipe")?.write_all(configuration.as_bytes())?;
        listener::await_listener(port, &mut redis.process, "Redis")?;
        Ok(redis)
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    pub(super) fn password_file(&self) -> PathBuf {
        self.folder.join("password")
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        sh::end(&mut self.process);
        let _ = fs::remove_dir_all(&self.folder);
    }
}

fn password() -> Result<String> {
    let mut random = [0; 32];
    fs::File::open("/dev/urandom")?.read_exact(&mut random)?;
    Ok(random.into_iter().map(|byte| char::from(b'a' + byte % 26)).collect())
}

/// The command for `redis-server`, or for the same program under the name that Debian's redis-tools gives it.
fn program(folder: &Path) -> Result<Command> {
    if sh::in_path("redis-server") {
        return Ok(Command::new("redis-server"));
    }
    ensure!(sh::in_path("redis-check-rdb"), "redis-server is missing: `cargo xtask deps` installs it");
    let path = sh::output(&mut sh::cmd("sh", ["-c", "command -v redis-check-rdb"]))?;
    let link = folder.join("redis-server");
    symlink(path.trim(), &link)?;
    Ok(Command::new(link))
}
