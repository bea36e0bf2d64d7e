//! The chart's rendered objects, sent to a real API server that creates none of them (`--dry-run=server`): it
//! knows every field, and every pod passes the `restricted` standard. The content of the templates is tested
//! by `cargo xtask test --only lint`.

use std::path::Path;

use serde_json::{Value, json};

use crate::operator;
use crate::support::{Namespace, SOON, kubectl, kubectl_with_input, repo, run};

/// The objects that helm renders into a namespace, including the pod of `helm test`.
async fn rendered(ns: &Namespace, values: &Path) -> Vec<Value> {
    let chart = repo().join("charts/chatcluster").display().to_string();
    let values = values.display().to_string();
    let args = [
        "template",
        "chatcluster",
        &chart,
        "--namespace",
        &ns.name,
        "--kube-version=1.31",
        "--values",
        &values,
    ];
    let text = run("helm", &args, None).await.unwrap_or_else(|error| panic!("{error}"));
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    objects.into_iter().filter(|object| !object.is_null()).collect()
}

/// A pod as the Deployment creates it, but with a service account that exists.
fn pod_of(deployment: &Value) -> Value {
    let mut pod = deployment["spec"]["template"].clone();
    pod["apiVersion"] = "v1".into();
    pod["kind"] = "Pod".into();
    pod["metadata"]["name"] = "of-the-deployment".into();
    pod["metadata"]["namespace"] = deployment["metadata"]["namespace"].clone();
    pod["spec"]["serviceAccountName"] = "default".into();
    pod
}

async fn dry_run(objects: &[Value]) -> Result<String, String> {
    // Separate documents: kubectl checks the items of a List itself, unlike the API server.
    let documents: Vec<String> = objects.iter().map(Value::to_string).collect();
    let how = ["--dry-run=server", "--server-side", "--force-conflicts", "--validate=strict"];
    let args = [&["apply"], &how[..], &["--filename", "-"]].concat();
    kubectl_with_input(&args, &documents.join("\n---\n")).await
}

/// A namespace in which pods can be created, because its default service account exists.
async fn namespace(theme: &str) -> Namespace {
    let ns = operator::namespace(theme).await;
    let account = ["get", "serviceaccount", "default", "--namespace", &ns.name];
    ns.eventually(SOON, "pods can be created", async || kubectl(&account).await).await;
    ns
}

#[tokio::test]
async fn the_api_server_accepts_every_object_of_the_chart() {
    let ns = namespace("chart").await;
    let files = std::fs::read_dir(repo().join("charts/chatcluster/ci")).expect("charts/chatcluster/ci");

    let mut seen = 0;
    for file in files {
        let file = file.expect("a file").path();
        let mut objects = rendered(&ns, &file).await;
        // The Prometheus operator, whose kinds these are, is not installed.
        objects.retain(|object| object["apiVersion"] != "monitoring.coreos.com/v1");
        let deployments = objects.iter().filter(|object| object["kind"] == "Deployment");
        let pods: Vec<Value> = deployments.map(pod_of).collect();
        assert_eq!(pods.len(), 1, "{}", file.display());
        objects.extend(pods);

        let taken = dry_run(&objects).await.unwrap_or_else(|error| panic!("{}: {error}", file.display()));

        assert_eq!(taken.lines().count(), objects.len(), "{taken}");
        seen += 1;
    }
    assert!(seen >= 4, "only {seen} files of values");
}

#[tokio::test]
async fn the_api_server_would_refuse_a_misspelt_field_and_a_pod_that_runs_as_root() {
    let ns = namespace("wrong").await;
    let objects = rendered(&ns, &repo().join("charts/chatcluster/ci/defaults.yaml")).await;
    let deployment = objects.iter().find(|object| object["kind"] == "Deployment").expect("a Deployment");

    let mut misspelt = deployment.clone();
    misspelt["spec"]["replica"] = 2.into();
    let mut root = pod_of(deployment);
    root["spec"]["securityContext"] = json!({});

    assert!(dry_run(&[misspelt]).await.is_err_and(|error| error.contains("replica")));
    assert!(dry_run(&[root]).await.is_err_and(|error| error.contains("restricted")));
}
