//! README's first command: from nothing to messages that cross hubs, and a chat to open in a browser.

mod door;
mod sample;

use crate::kube::{self, Condition};
use crate::target::{SHARED_NAME, Target, TargetOptions};
use crate::{chart, deps, images, install, interrupt, plugin, sh};
use anyhow::{Result, bail};
use door::Door;
use sample::{CHAT, NAMESPACE};
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    #[command(flatten)]
    at: TargetOptions,
    /// End after the test, without waiting for a browser
    #[arg(long)]
    once: bool,
    /// Take everything away again
    #[arg(long, conflicts_with = "once")]
    down: bool,
    /// Push the images to this registry instead of loading them on the nodes (needed with --context)
    #[arg(long, env = "CHATCLUSTER_REGISTRY", value_name = "HOST/PATH")]
    registry: Option<String>,
    /// The loopback port for the browser; if it is taken, the next free one
    #[arg(long, default_value_t = 8080)]
    port: u16,
}

const PATIENCE: Duration = Duration::from_mins(4);

pub(crate) fn run(options: &Options) -> Result<()> {
    interrupt::catch()?;
    let target = Target::choose(&options.at, SHARED_NAME)?;
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
    step("Building the operator's and the hub's image, and kubectl chat");
    let images = images::build()?;
    let plugin = plugin::build()?;
    step("Installing the operator by its Helm chart");
    install::install(&target, &install::values(&target, &images, options.registry.as_deref())?)?;
    step("kubectl apply -f manifests/samples/lobby.yaml");
    sh::run(target.kubectl()?.args(["apply", "-n", NAMESPACE, "-f"]).arg(install::sample(CHAT)))?;
    watch(&target)?;
    step(&format!("kubectl chat verify {CHAT}"));
    verify(&target, &plugin)?;
    let door = Door::open(&target, options.port)?;
    door.await_page()?;
    step("It works: whichever hub a client lands on, it hears everyone.");
    println!("  The chat page is served {}.", door.describe());
    if !options.once {
        serve(&door);
    }
    Ok(())
}

/// Sends a message through each hub, and checks that every other receives it.
fn verify(target: &Target, plugin: &Path) -> Result<()> {
    sh::run(target.exec(plugin)?.args(["verify", CHAT, "--namespace", NAMESPACE]))
}

fn down(target: &Target) -> Result<()> {
    if let Target::Context { .. } = target {
        return install::uninstall(target);
    }
    target.down()?;
    println!("{} is gone", target.describe());
    Ok(())
}

/// Shows each condition as it changes, until the chat is ready, or verified where there is no load balancer.
fn watch(target: &Target) -> Result<()> {
    let start = Instant::now();
    let mut before: Vec<Condition> = Vec::new();
    let mut public = None;
    while start.elapsed() < PATIENCE {
        let chat = kube::get(target, &["chatcluster", CHAT, "-n", NAMESPACE])?;
        let now = kube::conditions(&chat);
        // Until Ready is true it repeats one of the other conditions.
        for c in kube::changed(&before, &now).into_iter().filter(|c| c.kind != "Ready" || c.status == "True")
        {
            let mark = if c.status == "True" { "✓" } else { "…" };
            let elapsed = start.elapsed().as_secs_f32();
            println!("  {elapsed:>5.1} s  {mark} {:<16} {}: {}", c.kind, c.reason, c.message);
        }
        let current = chat["status"]["observedGeneration"] == chat["metadata"]["generation"];
        if current && kube::is_true(&now, "Ready") {
            return Ok(());
        }
        if current && kube::is_true(&now, "Verified") && has_service(target) {
            let since = public.get_or_insert_with(Instant::now);
            if since.elapsed() >= target.patience_for_an_address() {
                return Ok(());
            }
        }
        before = now;
        sleep(Duration::from_millis(200));
        interrupt::check()?;
    }
    tell_why(target);
    bail!("the chat is not ready after {} s; its conditions above say why", PATIENCE.as_secs());
}

fn has_service(target: &Target) -> bool {
    kube::get(target, &["service", CHAT, "-n", NAMESPACE]).is_ok()
}

fn tell_why(target: &Target) {
    let operator = "app.kubernetes.io/name=chatcluster-operator";
    for args in [
        &["get", "pods,services,events", "-n", NAMESPACE][..],
        &["logs", "-n", chart::NAMESPACE, "-l", operator, "--tail=40"],
    ] {
        let _ = target.kubectl().and_then(|mut kubectl| sh::run(kubectl.args(args)));
    }
}

/// Keeps the chat reachable from a browser until Ctrl-C.
fn serve(door: &Door) {
    println!("\nOpen the chat:  http://127.0.0.1:{}/   (twice, and talk to yourself)", door.port());
    println!("Look around:    cargo xtask cluster kubectl get chatclusters,pods");
    println!("Stop this:      Ctrl-C; the cluster stays, and the next demo takes seconds");
    println!("Take it away:   cargo xtask demo --down");
    while !interrupt::asked() {
        sleep(Duration::from_millis(100));
    }
    println!();
}
