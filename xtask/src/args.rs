//! The command line.

use crate::{bench, bridge, cluster, demo, fuzz, images, test};
use clap::{Parser, Subcommand};

/// The commands for developers of chatcluster
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Subcommand)]
pub(crate) enum Command {
    /// See it work: build, start a cluster, install, and send a message through every hub to every other
    Demo(demo::Options),
    /// Run every check: lint, unit, hub, load, api, requests, e2e
    Test(test::Options),
    /// Search for input from clients that makes the hub fail
    Fuzz(fuzz::Options),
    /// Measure the hub or the operator on this machine, each beside the least that could be done in its place
    #[command(subcommand)]
    Bench(bench::Options),
    /// A cluster for development: the project's own, one of kind, or that of a kube-context
    Cluster(cluster::Options),
    /// Build the operator's and the hub's image
    Images(images::Options),
    /// Write the generated files: the CRD, the chart's copy of it and its README, the reference, and
    /// manifests/install.yaml
    Crds {
        /// Write nothing; fail if a file is stale
        #[arg(long)]
        check: bool,
    },
    /// Install the programs that `demo` and `test` need and this machine lacks
    Deps {
        /// Only list what is missing
        #[arg(long)]
        list: bool,
    },
    /// Forward connections from a Unix socket to an address of this network namespace
    #[command(hide = true)]
    Bridge(bridge::Options),
}
