//! The foundation of both test binaries: a client, a namespace per test, waiting with a bound and a failure
//! message that shows what was seen, and a handle on a `ChatCluster` and its children.
//!
//! Code that only one of them needs (the operator as a process, the audit log; people, browsers, pods) is in
//! its own folder.

#![allow(dead_code, unused_imports)] // each binary uses its own part

mod chat;
mod children;
mod command;
mod namespace;
mod plugin;
mod scan;

use std::path::PathBuf;
use std::time::Duration;

pub(crate) use chat::Chat;
pub(crate) use children::{Child, Kind, children};
pub(crate) use command::{kubectl, kubectl_with_input, run};
pub(crate) use namespace::{Namespace, operator_logs_are_in};
pub(crate) use plugin::{Answer, plugin, plugin_command};
pub(crate) use scan::objects_that_hold;

/// The bound for one reconcile and a few requests to the API server, which take about a second.
pub(crate) const SOON: Duration = Duration::from_mins(1);

/// The bound for pods to start or end: it takes ten seconds on two cores, more while other tests do the same.
pub(crate) const PODS: Duration = Duration::from_mins(3);

/// The time in which nothing must happen to be sure that it will not: the only wait without a condition.
pub(crate) const A_WHILE: Duration = Duration::from_secs(3);

/// An environment variable that the runner sets.
pub(crate) fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: {}", how_to_run()))
}

/// The root of the repository.
pub(crate) fn repo() -> PathBuf {
    std::env::var_os("CHATCLUSTER_REPO").map_or_else(|| env!("CARGO_MANIFEST_DIR").into(), PathBuf::from)
}

/// The advice to give when there is no cluster.
pub(crate) fn how_to_run() -> String {
    let stage = env!("CARGO_CRATE_NAME");
    format!("these tests need a cluster; run them with: cargo xtask test --only {stage}")
}

/// A client of the cluster that the runner named. A test that needs a cluster fails without one.
pub(crate) async fn client() -> kube::Client {
    let path = env("KUBECONFIG");
    let client = match kube::Client::try_default().await {
        Ok(client) => client,
        Err(error) => panic!("no cluster by KUBECONFIG={path}: {error}; {}", how_to_run()),
    };
    if let Err(error) = client.apiserver_version().await {
        panic!("the API server of KUBECONFIG={path} does not answer: {error}; {}", how_to_run());
    }
    client
}
