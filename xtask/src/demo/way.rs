//! How one gets from outside to the hubs: by the load balancer's address, or where there is none by kubectl.

use crate::bridge::{Bridge, free_port_number};
use crate::target::Target;
use crate::{kube, sh};
use anyhow::{Context, Result, bail};
use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread;

/// The name of the sample that the demo applies.
pub(super) const CHAT: &str = "lobby";
/// The sample's namespace: its manifest names none.
pub(super) const NAMESPACE: &str = "default";

/// How a client from outside gets to the hubs.
pub(super) enum Way {
    /// By the load balancer's address
    Address { address: String, pods: usize },
    /// By a port-forward to each pod: there is no load balancer
    Forward { pods: Vec<String> },
}

impl Way {
    pub(super) fn find(target: &Target) -> Result<Self> {
        let hubs = format!("app.kubernetes.io/instance={CHAT},app.kubernetes.io/component=hub");
        let pods = kube::ready_pods(&kube::get(target, &["pods", "-n", NAMESPACE, "-l", &hubs])?);
        anyhow::ensure!(!pods.is_empty(), "no hub pod is ready");
        let service = kube::get(target, &["service", CHAT, "-n", NAMESPACE])?;
        Ok(match kube::address(&service) {
            Some(address) => Self::Address { address, pods: pods.len() },
            None => Self::Forward { pods },
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

    pub(super) fn prove(&self, target: &Target) -> Result<()> {
        let mut crossing = target.exec(env::current_exe()?)?;
        crossing.arg("crossing");
        match self {
            Self::Address { address, pods } => {
                crossing.args(["--pods", &pods.to_string(), "--url", &format!("http://{address}/hub")]);
                sh::run(&mut crossing)
            }
            Self::Forward { pods } => {
                crossing.args(["--pods", &pods.len().to_string()]);
                let mut forwards = Vec::new();
                for pod in pods {
                    let forward = PortForward::open(target, &format!("pod/{pod}"), &hub_port(target, pod)?)?;
                    crossing.args(["--url", &format!("http://127.0.0.1:{}/hub", forward.port)]);
                    forwards.push(forward);
                }
                sh::run(&mut crossing)
            }
        }
    }

    /// Opens `first` or the next free loopback port to the chat.
    pub(super) fn open(&self, target: &Target, first: u16) -> Result<Door> {
        Ok(match self {
            Self::Address { address, .. } => {
                Door::Bridge(Bridge::open(target, &format!("{address}:80"), first)?)
            }
            Self::Forward { .. } => {
                let ports = format!("{}:80", free_port_number(first)?);
                Door::Forward(PortForward::open(target, &format!("service/{CHAT}"), &ports)?)
            }
        })
    }
}

/// A loopback port that leads to the chat, until dropped.
pub(super) enum Door {
    Bridge(Bridge),
    Forward(PortForward),
}

impl Door {
    pub(super) fn port(&self) -> u16 {
        match self {
            Self::Bridge(bridge) => bridge.port,
            Self::Forward(forward) => forward.port,
        }
    }
}

/// `:PORT`, a free local port to the pod's own.
fn hub_port(target: &Target, pod: &str) -> Result<String> {
    let pod = kube::get(target, &["pod", pod, "-n", NAMESPACE])?;
    let port = pod["spec"]["containers"][0]["ports"][0]["containerPort"]
        .as_u64()
        .context("the hub names no port")?;
    Ok(format!(":{port}"))
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
        thread::spawn(move || io::copy(&mut out, &mut io::sink())); // it says more, and would end if nobody listened
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
