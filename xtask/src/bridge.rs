//! Forwards a loopback port of this machine to an address that only the cluster's network knows. The two
//! sides are processes in different network namespaces. They meet at a Unix socket, which is a file, and so
//! can be reached from both.

use crate::target::Target;
use anyhow::{Context, Result};
use std::fs::DirBuilder;
use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The Unix socket to listen on
    #[arg(long)]
    socket: PathBuf,
    /// The address to connect to, HOST:PORT
    #[arg(long)]
    to: String,
}

/// The far side, inside the cluster's network. It ends when its input does, so that it never outlives the
/// near side.
pub(crate) fn run(options: &Options) -> Result<()> {
    let listener = UnixListener::bind(&options.socket)
        .with_context(|| format!("cannot listen on {}", options.socket.display()))?;
    let to = options.to.clone();
    thread::spawn(move || {
        for near in listener.incoming().flatten() {
            let to = to.clone();
            thread::spawn(move || TcpStream::connect(to).and_then(|far| carry(near, far)));
        }
    });
    io::copy(&mut io::stdin(), &mut io::sink())?;
    Ok(())
}

/// The near side, which forwards until it is dropped.
pub(crate) struct Bridge {
    far: Child,
    folder: PathBuf,
    /// The loopback port
    pub(crate) port: u16,
}

impl Bridge {
    /// Forwards `first` or the next free port of 127.0.0.1 to an address of the target's network.
    pub(crate) fn open(target: &Target, to: &str, first: u16) -> Result<Self> {
        let (listener, port) = free_port(first)?;
        let folder = env::temp_dir().join(format!("chatcluster-bridge-{}", std::process::id()));
        DirBuilder::new().mode(0o700).create(&folder)?;
        let socket = folder.join("socket");
        let mut far = target.exec(env::current_exe()?)?;
        far.args(["bridge", "--to", to, "--socket"]).arg(&socket).stdin(Stdio::piped());
        let bridge = Self { far: far.spawn()?, folder, port };
        let patience = Instant::now() + Duration::from_secs(5);
        while !socket.exists() {
            anyhow::ensure!(
                Instant::now() < patience,
                "the bridge into the cluster's network did not come up"
            );
            thread::sleep(Duration::from_millis(20));
        }
        thread::spawn(move || {
            for near in listener.incoming().flatten() {
                let socket = socket.clone();
                thread::spawn(move || UnixStream::connect(socket).and_then(|far| carry(near, far)));
            }
        });
        Ok(bridge)
    }
}

impl Drop for Bridge {
    fn drop(&mut self) {
        drop(self.far.stdin.take()); // the end of its input ends it
        let _ = self.far.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// Listens on the port, or on the next free one.
fn free_port(first: u16) -> Result<(TcpListener, u16)> {
    (first..first.saturating_add(100))
        .find_map(|port| TcpListener::bind(("127.0.0.1", port)).ok().map(|l| (l, port)))
        .with_context(|| format!("no port of 127.0.0.1 from {first} on is free"))
}

/// The first free port from `first` on.
pub(crate) fn free_port_number(first: u16) -> Result<u16> {
    free_port(first).map(|(_, port)| port)
}

/// Forwards both directions of a connection, each until its end.
fn carry(near: impl Stream, far: impl Stream) -> io::Result<()> {
    let (mut from, mut to) = (near.again()?, far.again()?);
    let back = thread::spawn(move || pump(&mut to, &mut from));
    let (mut near, mut far) = (near, far);
    pump(&mut near, &mut far);
    let _ = back.join();
    Ok(())
}

/// Forwards one direction, and then its end: browsers close one side at a time.
fn pump(from: &mut impl Stream, to: &mut impl Stream) {
    let _ = io::copy(from, to);
    to.finish();
}

/// The operations that TCP and Unix connections have in common here.
trait Stream: Read + Write + Send + 'static {
    fn again(&self) -> io::Result<Self>
    where
        Self: Sized;
    fn finish(&self);
}

impl Stream for TcpStream {
    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn finish(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

impl Stream for UnixStream {
    fn again(&self) -> io::Result<Self> {
        self.try_clone()
    }
    fn finish(&self) {
        let _ = self.shutdown(Shutdown::Write);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_goes_in_comes_out_and_so_does_the_end() {
        let (mut a, near) = UnixStream::pair().unwrap();
        let (mut b, far) = UnixStream::pair().unwrap();
        thread::spawn(move || carry(near, far));

        a.write_all(b"ping").unwrap();
        a.shutdown(Shutdown::Write).unwrap();
        let mut got = String::new();
        b.read_to_string(&mut got).unwrap();
        assert_eq!(got, "ping");

        b.write_all(b"pong").unwrap();
        drop(b);
        got.clear();
        a.read_to_string(&mut got).unwrap();
        assert_eq!(got, "pong");
    }

    #[test]
    fn a_taken_port_is_passed_over() {
        let (_listener, port) = free_port(18080).unwrap();
        assert!(free_port_number(port).unwrap() > port);
    }
}
