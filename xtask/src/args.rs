//! The command line, and nothing but its shape.

use crate::{bench, bridge, cluster, demo, fuzz, images, test};
use clap::{Parser, Subcommand};

/// What developers of chatcluster run.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// See it work: build, start a cluster, install, and send a message from every hub to every other
    Demo(demo::Options),
    /// Run every check: lint, unit, hub, load, api, requests, e2e
    Test(test::Options),
    /// Look for bytes of a client that the hub does not bear
    Fuzz(fuzz::Options),
    /// Measure the hub, or the operator, on this machine, beside the least that could be done in its place
    #[command(subcommand)]
    Bench(bench::Options),
    /// A cluster for development: the project's own, kind's, or a named kube-context
    Cluster(cluster::Options),
    /// Build the operator's and the hub's image
    Images(images::Options),
    /// Write what is generated: the CRD, the chart's copy of it and its README, and manifests/install.yaml
    Crds {
        /// Write nothing; fail when a file is stale
        #[arg(long)]
        check: bool,
    },
    /// Install what this machine lacks for `demo` and `test`
    Deps {
        /// Only say what is missing
        #[arg(long)]
        list: bool,
    },
    /// Carry connections from a Unix socket to an address of this network namespace
    #[command(hide = true)]
    Bridge(bridge::Options),
}
