//! README's first command: from nothing to messages that cross hubs, and a chat to open in a browser.

use crate::args::Where;
use crate::bridge::{Bridge, free_port_number};
use crate::kube::{self, Condition};
use crate::target::Target;
use crate::{cluster, crds, deps, images, install, interrupt, sh};
use anyhow::{Context, Result, bail};
use std::env;
use std::io::{self, BufRead, BufReader};
use std::process::{Child, Stdio};
use std::thread::{self, sleep};
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: Where,
    /// End after the proof, without waiting for a browser
    #[arg(long)]
    once: bool,
    /// Take it all away again
    #[arg(long, conflicts_with = "once")]
    down: bool,
    /// Push the images to this registry instead of loading them on the nodes (needed with --context)
    #[arg(long, env = "CHATCLUSTER_REGISTRY", value_name = "HOST/PATH")]
    registry: Option<String>,
    /// The loopback port for the browser; the next free one is taken
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

/// The sample's name and, as it is applied without one, its namespace.
const CHAT: &str = "lobby";
const NAMESPACE: &str = "default";
const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    let target = Target::choose(&options.at, cluster::OWN_NAME)?;
    if options.down {
        return down(&target);
    }
    let start = Instant::now();
    let step = |what: &str| println!("\n[{:>4} s] {what}", start.elapsed().as_secs());

    println!("chatcluster on {}", target.describe());
    deps::ensure(deps::For::Demo { own_cluster: matches!(target, Target::Own { .. }) })?;
    step(if target.is_built() {
        "Starting the cluster"
    } else {
        "Compiling Kubernetes (ten minutes, once), and starting the cluster"
    });
    target.up(2)?;
    step("Building the operator's and the hub's image");
    let images = images::build()?;
    step("Installing the operator by its Helm chart");
    install::install(&target, &images, options.registry.as_deref())?;
    step("kubectl apply -f manifests/samples/lobby.yaml");
    sh::run(target.kubectl()?.args(["apply", "-n", NAMESPACE, "-f"]).arg(install::sample(CHAT)))?;
    watch(&target)?;
    let way = Way::find(&target)?;
    step(&format!("One client for each hub pod, {}", way.describe()));
    way.prove(&target)?;
    step("It works: whichever hub a client lands on, it hears everyone.");
    if options.once {
        return Ok(());
    }
    serve(&target, &way, options.port)
}

fn down(target: &Target) -> Result<()> {
    if let Target::Context { .. } = target {
        return install::uninstall(target);
    }
    target.down()?;
    println!("{} is gone", target.describe());
    Ok(())
}

/// Shows each condition as it changes, until the chat is ready, or is as ready as a cluster without load balancer lets it be.
fn watch(target: &Target) -> Result<()> {
    let start = Instant::now();
    let mut before: Vec<Condition> = Vec::new();
    loop {
        let chat = kube::get(target, &["chatcluster", CHAT, "-n", NAMESPACE])?;
        let now = kube::conditions(&chat);
        for c in kube::changed(&before, &now) {
            if c.kind == "Ready" && c.status != "True" {
                continue; // until then it repeats one of the others
            }
            let mark = if c.status == "True" { "✓" } else { "…" };
            println!(
                "  {:>5.1} s  {mark} {:<16} {}: {}",
                start.elapsed().as_secs_f32(),
                c.kind,
                c.reason,
                c.message
            );
        }
        let current = chat["status"]["observedGeneration"] == chat["metadata"]["generation"];
        if current
            && (kube::is_true(&now, "Ready") || (!target.has_load_balancer() && is_public(target, &now)))
        {
            return Ok(());
        }
        if start.elapsed() > PATIENCE {
            tell_why(target);
            bail!("the chat is not ready after {} s; its conditions above say why", PATIENCE.as_secs());
        }
        before = now;
        sleep(Duration::from_millis(200));
        interrupt::check()?;
    }
}

/// Verified, and its Service is there, with or without an address.
fn is_public(target: &Target, conditions: &[Condition]) -> bool {
    kube::is_true(conditions, "Verified") && kube::get(target, &["service", CHAT, "-n", NAMESPACE]).is_ok()
}

fn tell_why(target: &Target) {
    let show = |args: &[&str]| target.kubectl().and_then(|mut k| sh::run(k.args(args)));
    let _ = show(&["get", "pods,services,events", "-n", NAMESPACE]);
    let _ = show(&[
        "logs",
        "-n",
        crds::NAMESPACE,
        "-l",
        "app.kubernetes.io/name=chatcluster-operator",
        "--tail=40",
    ]);
}

/// How a client from outside gets to the hubs.
enum Way {
    /// By the load balancer's address
    Address { address: String, pods: usize },
    /// By a port-forward to each pod: there is no load balancer
    Forward { pods: Vec<String> },
}

impl Way {
    fn find(target: &Target) -> Result<Self> {
        let hubs = format!("app.kubernetes.io/instance={CHAT},app.kubernetes.io/component=hub");
        let pods = kube::ready_pods(&kube::get(target, &["pods", "-n", NAMESPACE, "-l", &hubs])?);
        anyhow::ensure!(!pods.is_empty(), "no hub pod is ready");
        let service = kube::get(target, &["service", CHAT, "-n", NAMESPACE])?;
        Ok(match kube::address(&service) {
            Some(address) => Self::Address { address, pods: pods.len() },
            None => Self::Forward { pods },
        })
    }

    fn describe(&self) -> String {
        match self {
            Self::Address { address, .. } => format!("through the load balancer at http://{address}/"),
            Self::Forward { .. } => {
                "by kubectl port-forward, as this cluster has no load balancer".to_owned()
            }
        }
    }

    fn prove(&self, target: &Target) -> Result<()> {
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
struct PortForward {
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

/// Keeps the chat reachable from a browser until Ctrl-C.
fn serve(target: &Target, way: &Way, first: u16) -> Result<()> {
    let (_bridge, _forward, port) = match way {
        Way::Address { address, .. } => {
            let bridge = Bridge::open(target, &format!("{address}:80"), first)?;
            let port = bridge.port;
            (Some(bridge), None, port)
        }
        Way::Forward { .. } => {
            let port = free_port_number(first)?;
            let forward = PortForward::open(target, &format!("service/{CHAT}"), &format!("{port}:80"))?;
            (None, Some(forward), port)
        }
    };
    println!("\nOpen the chat:  http://127.0.0.1:{port}/   (twice, and talk to yourself)");
    println!("Look around:    cargo xtask cluster kubectl get chatclusters,pods");
    println!("Stop this:      Ctrl-C; the cluster stays, and the next demo takes seconds");
    println!("Take it away:   cargo xtask demo --down");
    while !interrupt::asked() {
        sleep(Duration::from_millis(100));
    }
    println!();
    Ok(())
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
