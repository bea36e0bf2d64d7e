//! An operator of two namespaces, with only the rights that the chart's `watchNamespaces` gives it.

use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use super::process::Operator;
use crate::support::{A_WHILE, Kind, Namespace, SOON, kubectl, kubectl_with_input, repo, run};

/// The RBAC objects that the chart renders for an operator that runs in the first namespace and serves both.
async fn rights(home: &Namespace, other: &Namespace) -> Vec<Value> {
    let chart = repo().join("charts/chatcluster").display().to_string();
    let watched = format!("watchNamespaces={{{},{}}}", home.name, other.name);
    let args = ["template", "chatcluster", &chart, "--namespace", &home.name, "--kube-version=1.31"];
    let set = ["--set", &watched, "--set", "crds.install=false,rbac.aggregate=false"];
    let text = run("helm", &[&args[..], &set].concat(), None).await.unwrap_or_else(|error| panic!("{error}"));
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).expect("YAML");
    let kinds = ["ServiceAccount", "Role", "RoleBinding", "ClusterRole", "ClusterRoleBinding"];
    objects.into_iter().filter(|object| kinds.iter().any(|kind| object["kind"] == *kind)).collect()
}

async fn apply(objects: &[Value]) {
    let list = json!({"apiVersion": "v1", "kind": "List", "items": objects}).to_string();
    let applied = kubectl_with_input(&["apply", "--server-side", "--filename", "-"], &list).await;
    applied.unwrap_or_else(|error| panic!("{error}"));
}

/// The path of a kubeconfig for the operator's service account.
async fn kubeconfig(home: &Namespace) -> PathBuf {
    let token = kubectl(&["create", "token", "chatcluster-operator", "--namespace", &home.name])
        .await
        .expect("a token");
    let ours = kubectl(&["config", "view", "--raw", "--minify", "--flatten", "--output=json"])
        .await
        .expect("a kubeconfig");
    let mut config: Value = serde_json::from_str(&ours).expect("JSON");
    config["users"][0]["user"] = json!({"token": token.trim()});
    let file = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}.kubeconfig", home.name));
    std::fs::write(&file, config.to_string()).expect("writing a kubeconfig");
    file
}

#[tokio::test]
async fn an_operator_of_some_namespaces_needs_no_rights_beyond_them() {
    let (home, other, foreign) =
        (super::namespace("home").await, super::namespace("other").await, super::namespace("foreign").await);
    let rights = rights(&home, &other).await;
    assert!(rights.iter().all(|object| object["metadata"]["namespace"].is_string()), "{rights:#?}");
    let (early, late): (Vec<Value>, Vec<Value>) =
        rights.into_iter().partition(|object| object["metadata"]["namespace"] == home.name.as_str());
    apply(&early).await;
    let watched = format!("{},{}", home.name, other.name);
    let operator =
        Operator::start_as(&home, "operator", &kubeconfig(&home).await, &[("WATCH_NAMESPACES", &watched)]);
    operator.answers(&home, "/readyz", 503, &format!("in namespace {}", other.name)).await;

    apply(&late).await;

    operator.answers(&home, "/readyz", 200, "").await;
    let spec = json!({"redis": {"persistence": "None"}});
    let outside = foreign.chat("lobby", spec.clone()).await;
    for ns in [&home, &other] {
        let lobby = ns.chat("lobby", spec.clone()).await;
        lobby.becomes("HubReady", "True", "Ready", SOON).await;
        lobby.child(Kind::Service, "-redis").delete().await;
        ns.wait_for(&lobby.child(Kind::Service, "-redis"), SOON).await;
    }
    tokio::time::sleep(A_WHILE).await;
    let stranger = outside.child(Kind::Secret, "-redis-auth").find().await;
    assert!(stranger.is_none(), "the operator serves a namespace that it does not watch");
    assert!(!operator.log().contains("storageclasses"), "{}", operator.log());
    let account = format!("--as=system:serviceaccount:{}:chatcluster-operator", home.name);
    for (namespace, may) in [(&home.name, "yes"), (&foreign.name, "no")] {
        let said =
            run("kubectl", &["auth", "can-i", "get", "secrets", &account, "--namespace", namespace], None)
                .await;
        let said = said.unwrap_or_else(|no| no);
        assert!(said.lines().any(|line| line.trim() == may), "Secrets of {namespace}: {said}");
    }
}
