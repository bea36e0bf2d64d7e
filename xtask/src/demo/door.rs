//! A loopback port that leads to the chat: by the load balancer's address or, where there is none, by
//! kubectl.

use super::sample::{CHAT, NAMESPACE};
use crate::bridge::{Bridge, free_port_number};
use crate::target::Target;
use crate::{interrupt, kube, sh};
use anyhow::{Context, Result, bail, ensure};
use std::io::{self, BufRead, BufReader, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::process::{Child, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

/// The longest wait for the chat page: a new address may take a moment to be known on every node.
const PATIENCE: Duration = Duration::from_secs(30);

/// A loopback port that leads to the chat, until dropped.
pub(super) enum Door {
    /// By the load balancer's address
    Address { address: String, bridge: Bridge },
    /// By `kubectl port-forward`: there is no load balancer
    Forward(PortForward),
}

impl Door {
    /// Opens `first` or the next free loopback port.
    pub(super) fn open(target: &Target, first: u16) -> Result<Self> {
        let service = kube::get(target, &["service", CHAT, "-n", NAMESPACE])?;
        Ok(if let Some(address) = kube::address(&service) {
            Self::Address { bridge: Bridge::open(target, &format!("{address}:80"), first)?, address }
        } else {
            let ports = format!("{}:80", free_port_number(first)?);
            Self::Forward(PortForward::open(target, &format!("service/{CHAT}"), &ports)?)
        })
    }

    pub(super) fn describe(&self) -> String {
        match self {
            Self::Address { address, .. } => format!("through the load balancer at http://{address}/"),
            Self::Forward { .. } => {
                "by kubectl port-forward, as this cluster has no load balancer".to_owned()
            }
        }
    }

    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Address { bridge, .. } => bridge.port,
            Self::Forward(forward) => forward.port,
        }
    }

    /// Waits until a hub answers with the chat page.
    pub(super) fn await_page(&self) -> Result<()> {
        let start = Instant::now();
        loop {
            let answer = first_line(self.port());
            if answer.as_ref().is_ok_and(|line| line.starts_with("HTTP/1.1 200 ")) {
                return Ok(());
            }
            ensure!(start.elapsed() < PATIENCE, "no hub answers {}: {answer:?}", self.describe());
            interrupt::check()?;
            sleep(Duration::from_millis(200));
        }
    }
}

/// The first line of the answer to `GET /`.
fn first_line(port: u16) -> io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")?;
    let mut line = String::new();
    BufReader::new(stream).read_line(&mut line)?;
    Ok(line)
}

/// `kubectl port-forward`, until dropped.
pub(super) struct PortForward {
    kubectl: Child,
    port: u16,
}

impl PortForward {
    fn open(target: &Target, to: &str, ports: &str) -> Result<Self> {
        let mut kubectl = target.kubectl()?;
        let mut child =
            kubectl.args(["port-forward", "-n", NAMESPACE, to, ports]).stdout(Stdio::piped()).spawn()?;
        let mut said = String::new();
        let mut out = BufReader::new(child.stdout.take().context("it was piped")?);
        out.read_line(&mut said)?;
        // Its output has to be read to the end: writing to a closed pipe would end it.
        thread::spawn(move || io::copy(&mut out, &mut io::sink()));
        let Some(port) = forwarded_port(&said) else {
            sh::end(&mut child);
            bail!("`{}` did not start", sh::line(&kubectl));
        };
        Ok(Self { kubectl: child, port })
    }
}

impl Drop for PortForward {
    fn drop(&mut self) {
        sh::end(&mut self.kubectl);
    }
}

/// The local port in `Forwarding from 127.0.0.1:40123 -> 8080`.
fn forwarded_port(said: &str) -> Option<u16> {
    said.strip_prefix("Forwarding from 127.0.0.1:")?.split(' ').next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_forwarded_port_is_read_from_what_kubectl_says() {
        assert_eq!(forwarded_port("Forwarding from 127.0.0.1:40123 -> 8080\n"), Some(40123));
        assert_eq!(forwarded_port("error: no pod\n"), None);
    }
}
