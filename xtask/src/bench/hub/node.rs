//! The two servers of a run.

use super::listener::{PATIENCE, await_listener, free_port, until};
use super::plan::System;
use super::programs::Programs;
use super::redis::Redis;
use crate::bench::lines::tail;
use crate::{repo, sh};
use anyhow::{Context, Result};
use std::fs::File;
use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command};

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
        tail(&self.log, 10)
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        sh::end(&mut self.process);
    }
}

/// Starts both servers, and waits until they are ready.
pub(super) fn start(programs: &Programs, system: System, redis: Option<&Redis>) -> Result<Vec<Node>> {
    let ports = [free_port()?, free_port()?];
    let mut nodes = Vec::new();
    for (index, port) in ports.into_iter().enumerate() {
        let mut command = match (system, redis) {
            (System::Hub(_), Some(redis)) => hub(&programs.hub_command, port, index, redis),
            (System::FloorBatch, _) => floor(programs, port, ports[1 - index], 16),
            _ => floor(programs, port, ports[1 - index], 1),
        };
        let log = repo::scratch("bench")?.join(format!("node-{index}.log"));
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

/// The command for a hub. The shell becomes the hub, so that the process id is the hub's.
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

/// Waits until a hub reports that it receives its own messages through Redis.
fn await_ready(node: &mut Node) -> Result<()> {
    let address = node.address();
    until(&mut node.process, "the hub", || ready(address).unwrap_or(false))
}

fn ready(address: SocketAddr) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(stream, "GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200"))
}
