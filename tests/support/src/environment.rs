//! The environment that the runner provides: variables, the repository, and the cluster.

use std::path::PathBuf;

const HOW_TO_RUN: &str =
    "these tests need a cluster; run them with `cargo xtask test --only api` or `--only e2e`";

/// An environment variable that the runner sets.
pub fn env(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: {HOW_TO_RUN}"))
}

/// The root of the repository.
pub fn repo() -> PathBuf {
    let here = concat!(env!("CARGO_MANIFEST_DIR"), "/../..");
    std::env::var_os("CHATCLUSTER_REPO").map_or_else(|| here.into(), PathBuf::from)
}

/// A client of the cluster that the runner named. A test that needs a cluster fails without one.
pub async fn client() -> kube::Client {
    let path = env("KUBECONFIG");
    let client = match kube::Client::try_default().await {
        Ok(client) => client,
        Err(error) => panic!("no cluster by KUBECONFIG={path}: {error}; {HOW_TO_RUN}"),
    };
    if let Err(error) = client.apiserver_version().await {
        panic!("the API server of KUBECONFIG={path} does not answer: {error}; {HOW_TO_RUN}");
    }
    client
}
