//! The two servers of a run.

use super::Programs;
use super::plan::System;
use super::redis::Redis;
use crate::bench::scratch;
use crate::{interrupt, repo, sh};
use anyhow::{Context, Result, bail};
use std::fs::{self, File};
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// How one hub is started, from the root of the repository; docs/performance.md tells others of it.
pub(in crate::bench) const HUB_COMMAND: &str = "HUB_LISTEN=127.0.0.1:{port} POD_NAME=hub-{node} target/release/chatcluster-hub \
     --redis 127.0.0.1:{redis_port} --redis-password-file {redis_password_file}";
/// The program in it.
pub(in crate::bench) const HUB_PROGRAM: &str = "target/release/chatcluster-hub";

/// For a server to be ready.
const PATIENCE: Duration = Duration::from_mins(1);
/// To choose from.
const PORTS: u32 = 10_000;

pub(super) struct Node {
    process: Child,
    port: u16,
    log: PathBuf,
}

impl Node {
    pub(super) fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.port).into()
    }

    pub(super) fn pid(&self) -> u32 {
        self.process.id()
    }

    /// The end of its log.
    pub(super) fn last_words(&self) -> String {
        let log = fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<_> = log.lines().collect();
        format!("{}:\n{}\n", self.log.display(), lines[lines.len().saturating_sub(10)..].join("\n"))
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        sh::end(&mut self.process);
    }
}

/// Both, ready.
pub(super) fn start(programs: &Programs, system: System, redis: Option<&Redis>) -> Result<Vec<Node>> {
    let ports = [free_port()?, free_port()?];
    let mut nodes = Vec::new();
    for (index, port) in ports.into_iter().enumerate() {
        let mut command = match (system, redis) {
            (System::Hub(_), Some(redis)) => hub(&programs.hub_command, port, index, redis),
            (System::FloorBatch, _) => floor(programs, port, ports[1 - index], 16),
            _ => floor(programs, port, ports[1 - index], 1),
        };
        let log = scratch()?.join(format!("node-{index}.log"));
        let output = File::create(&log)?;
        command.current_dir(repo::root()).stdout(output.try_clone()?).stderr(output);
        let process = command.spawn().with_context(|| format!("cannot start `{}`", sh::line(&command)))?;
        nodes.push(Node { process, port, log });
    }
    for node in &mut nodes {
        let ready = await_listener(node.port, &mut node.process, "the server").and_then(|()| match system {
            System::Hub(_) => await_ready(node),
            _ => Ok(()),
        });
        ready.with_context(|| node.last_words())?;
    }
    Ok(nodes)
}

/// The shell becomes the hub, so that the process that we end and look at is the hub's.
fn hub(template: &str, port: u16, index: usize, redis: &Redis) -> Command {
    let command = template
        .replace("{port}", &port.to_string())
        .replace("{redis_port}", &redis.port().to_string())
        .replace("{redis_password_file}", &redis.password_file().to_string_lossy())
        .replace("{node}", &index.to_string());
    sh::cmd("sh", ["-c", &format!("exec env {command}")])
}

fn floor(programs: &Programs, port: u16, peer: u16, batch: usize) -> Command {
    let mut command = sh::cmd(&programs.bench, ["floor"]);
    command.args(["--listen", &format!("127.0.0.1:{port}"), "--peer", &format!("127.0.0.1:{peer}")]);
    command.args(["--batch", &batch.to_string()]);
    command
}

/// The next one that is given out; never the same twice, for the kernel may hold one back for a while after its use.
static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

/// Below the range that the kernel takes source ports from: no connection of ours can come upon it.
pub(super) fn free_port() -> Result<u16> {
    for _ in 0..PORTS {
        // Processes that run side by side start at different ones.
        let next =
            std::process::id().wrapping_mul(97).wrapping_add(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + next % PORTS)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from 20000 on is free")
}

/// Waits until someone listens.
pub(super) fn await_listener(port: u16, process: &mut Child, what: &str) -> Result<()> {
    until(process, what, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// Waits until a hub says that it hears itself on Redis.
fn await_ready(node: &mut Node) -> Result<()> {
    let address = node.address();
    until(&mut node.process, "the hub", || ready(address).unwrap_or(false))
}

fn until(process: &mut Child, what: &str, done: impl Fn() -> bool) -> Result<()> {
    let patience = Instant::now() + PATIENCE;
    while !done() {
        interrupt::check()?;
        if let Some(status) = process.try_wait()? {
            bail!("{what} ended ({status})");
        }
        if Instant::now() > patience {
            bail!("{what} is not ready after {} s", PATIENCE.as_secs());
        }
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

fn ready(address: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
