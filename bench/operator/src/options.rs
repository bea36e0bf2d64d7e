//! The command line of a run.

use std::path::PathBuf;

/// The options of one run.
#[derive(clap::Args, Clone)]
#[allow(clippy::struct_excessive_bools)] // flags, each with a meaning of its own
pub(crate) struct Options {
    /// The operator's program
    #[arg(long)]
    pub(crate) operator: PathBuf,
    /// A kubeconfig with the operator's service account
    #[arg(long)]
    pub(crate) operator_kubeconfig: PathBuf,
    /// A kubeconfig with the bench's service account
    #[arg(long)]
    pub(crate) kubeconfig: PathBuf,
    /// The file to which the operator's log is appended
    #[arg(long)]
    pub(crate) operator_log: PathBuf,
    /// The audit log of the API server
    #[arg(long)]
    pub(crate) audit_log: PathBuf,
    /// The number of clusters
    #[arg(long)]
    pub(crate) clusters: usize,
    /// The control plane has no controller that creates pods
    #[arg(long)]
    pub(crate) without_pods: bool,
    /// Only count requests: no floor, nothing spoilt or deleted
    #[arg(long)]
    pub(crate) counts_only: bool,
    /// No floor, and nothing deleted
    #[arg(long)]
    pub(crate) without_floor: bool,
    /// Clusters are created and deleted, and nothing else is done to them
    #[arg(long)]
    pub(crate) create_only: bool,
    /// The length of the phase in which nothing happens
    #[arg(long)]
    pub(crate) rest_seconds: u64,
    /// The number of children that are spoilt, one after the other
    #[arg(long, default_value_t = 100)]
    pub(crate) drifts: usize,
    /// The time during which specs change
    #[arg(long, default_value_t = 120)]
    pub(crate) churn_seconds: u64,
    /// Spec changes a second
    #[arg(long, default_value_t = 10)]
    pub(crate) churn_rate: u64,
}
