//! Stage "e2e": whole clusters end to end, with images, chart, load balancer and browsers.

use super::options::{Options, cluster_name};
use super::{npm, rbac, rust, socketio, upgrade};
use crate::images::{self, Image};
use crate::target::{Choice, Target};
use crate::{cargo, chart, install, interrupt, plugin, repo, sh};
use anyhow::Result;
use std::fs::File;
use std::path::Path;
use std::process::Stdio;

/// The number of concurrent tests, each of which starts and ends pods.
const THREADS: &str = "2";

pub(super) fn run(options: &Options) -> Result<()> {
    for folder in npm::folders()? {
        npm::install(&folder)?;
    }
    let programs = rust::build_test("e2e")?;
    let runner = cargo::test_runner(&programs, "e2e")?;
    let plugin = plugin::build()?;
    let images = images::build()?;
    let socketio = socketio::image()?;

    let cluster = Cluster { target: target(options)?, keep: options.keep };
    println!("on {}", cluster.target.describe());
    let result = cluster.test(&runner, &plugin, &images, &socketio, options);
    if result.is_err() && !interrupt::asked() {
        cluster.explain();
    }
    result
}

/// The cluster to test on: our own unless another is asked for. The tests use load balancer addresses, and
/// power off nodes.
fn target(options: &Options) -> Result<Target> {
    let mut wish = options.at.clone();
    if wish.context.is_none() {
        wish.target = wish.target.or(Some(Choice::Own));
    }
    Target::choose(&wish, &cluster_name())
}

/// kubectl's arguments for the operator's log.
const LOGS: &str = "logs -n chatcluster-system -l app.kubernetes.io/name=chatcluster-operator --prefix";

/// Files that are kept of a cluster on which tests failed, with kubectl's arguments for each.
const DUMPS: [(&str, &str); 5] = [
    (
        "objects.yaml",
        "get chatclusters,pods,services,statefulsets,deployments,pvc,networkpolicies -A -o yaml",
    ),
    ("events.txt", "get events -A --sort-by=.lastTimestamp"),
    ("pods.txt", "describe pods -A"),
    ("operator.log", "logs -n chatcluster-system -l app.kubernetes.io/name=chatcluster-operator --tail=-1"),
    (
        "operator-before.log",
        "logs -n chatcluster-system -l app.kubernetes.io/name=chatcluster-operator --tail=-1 --previous",
    ),
];

/// The cluster under test, which is ended when dropped.
struct Cluster {
    target: Target,
    keep: bool,
}

impl Cluster {
    fn test(
        &self,
        runner: &Path,
        plugin: &Path,
        images: &[Image],
        socketio: &Image,
        options: &Options,
    ) -> Result<()> {
        self.target.up(2)?;
        let values = install::values(&self.target, images, options.registry.as_deref())?;
        if self.is_new() && options.filter.as_deref().is_none_or(|filter| filter == "upgrade") {
            println!("upgrade from the version before …");
            upgrade::run(&self.target, &values)?;
            println!("upgrade from the version before: ok");
        }
        install::install(&self.target, &values)?;
        let mark = rbac::mark(&self.target);
        sh::quiet(self.target.helm()?.args(["test", "chatcluster", "--namespace", chart::NAMESPACE]))?;
        let socketio = self.provide(socketio, options.registry.as_deref())?;
        let mut tests = self.target.exec(runner)?;
        tests.args(&options.filter).current_dir(repo::root());
        tests
            .env("CHATCLUSTER_REDIS_IMAGE", install::REDIS)
            .env("CHATCLUSTER_PLUGIN_BIN", plugin)
            .env("CHATCLUSTER_SOCKETIO_IMAGE", socketio);
        rust::test_environment(&mut tests, options, THREADS);
        sh::run(&mut tests)?;
        if options.filter.is_some() || !matches!(self.target, Target::Own { .. }) {
            println!("rights were NOT held against the audit log: that takes all tests, on our own cluster");
            return Ok(());
        }
        println!("rights: all {} are needed, and no other is", rbac::check(&self.target, mark)?);
        Ok(())
    }

    /// True if the chart is not installed yet. A cluster that was kept from an earlier run already has this
    /// version.
    fn is_new(&self) -> bool {
        let status = ["status", "chatcluster", "--namespace", chart::NAMESPACE];
        !matches!(self.target, Target::Context { .. })
            && self.target.helm().is_ok_and(|mut helm| !sh::works(helm.args(status)))
    }

    /// Makes an additional image available to the nodes. Returns its reference there.
    fn provide(&self, image: &Image, registry: Option<&str>) -> Result<String> {
        match registry {
            Some(registry) => images::push(image, registry),
            None => self.target.load(&image.archive).map(|()| image.reference.clone()),
        }
    }

    /// Shows objects and the end of the operator's log, and writes everything to files.
    fn explain(&self) {
        let Ok(folder) = repo::scratch("e2e-failure") else { return };
        for (name, args) in DUMPS {
            if let (Ok(mut kubectl), Ok(file)) = (self.target.kubectl(), File::create(folder.join(name))) {
                let _ = sh::run_shielded(kubectl.args(args.split(' ')).stdout(file).stderr(Stdio::null()));
            }
        }
        for args in ["get chatclusters,pods,services -A", &format!("{LOGS} --tail=40")] {
            if let Ok(mut kubectl) = self.target.kubectl() {
                let _ = sh::run_shielded(kubectl.args(args.split(' ')));
            }
        }
        eprintln!("more in {}: objects, events, pods, the operator's log", folder.display());
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        if self.keep {
            println!("kept: {}", self.target.describe());
        } else if let Err(e) = self.target.down() {
            eprintln!("{e:#}");
        }
    }
}
