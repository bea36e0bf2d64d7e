//! Ports on loopback, and waiting for the servers that listen there.

use crate::interrupt;
use anyhow::{Result, bail};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread::sleep;
use std::time::{Duration, Instant};

/// The longest time until a server is ready.
pub(super) const PATIENCE: Duration = Duration::from_mins(1);
/// The number of ports to choose from.
const PORTS: u32 = 10_000;

/// Counts ports, so that none is used twice: the kernel may hold a port back for a while after its use.
static NEXT_PORT: AtomicU32 = AtomicU32::new(0);

/// A free port, below the range from which the kernel takes source ports, so that no connection of ours can
/// take it.
pub(super) fn free_port() -> Result<u16> {
    for _ in 0..PORTS {
        // Processes that run side by side start at different ports.
        let next =
            std::process::id().wrapping_mul(97).wrapping_add(NEXT_PORT.fetch_add(1, Ordering::Relaxed));
        let port = u16::try_from(20_000 + next % PORTS)?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port from 20000 on is free")
}

/// Waits until something listens on the port.
pub(super) fn await_listener(port: u16, process: &mut Child, what: &str) -> Result<()> {
    until(process, what, || TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok())
}

/// Waits until `done` holds. Fails if the process ends, or after [`PATIENCE`].
pub(super) fn until(process: &mut Child, what: &str, done: impl Fn() -> bool) -> Result<()> {
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
