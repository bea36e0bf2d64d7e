//! The command line of `kubectl chat status`.

use crate::output::Format;

#[derive(clap::Args, Debug)]
pub(crate) struct Options {
    /// The ChatCluster [default: all of the namespace]
    pub(crate) name: Option<String>,
    /// All ChatClusters of all namespaces
    #[arg(short = 'A', long, conflicts_with = "name")]
    pub(crate) all_namespaces: bool,
    /// Keep running, and show each change
    #[arg(short, long)]
    pub(crate) watch: bool,
    /// Print json or yaml, for programs
    #[arg(short, long, value_name = "FORMAT")]
    pub(crate) output: Option<Format>,
}
