//! From the version before: its objects, as it applied them (`tests/previous/objects-0.1.0.json`), are there when an operator of this
//! version comes. No pod restarts, as CHANGELOG.md says; where hubs take their image from the chart, the image here is the same.

use serde_json::{Value, json};

use super::process::Operator;
use super::proxy::Proxy;
use crate::support::{A_WHILE, Chat, Kind, Namespace, PODS, SOON, kubectl, kubectl_with_input, repo};

/// Makes them as that version did: by the same field manager.
async fn apply_as_before(chat: &Chat<'_>, children: &[Value]) {
    let uid = chat.get().await.metadata.uid.expect("a uid");
    let ours = |child: &&Value| child["metadata"]["ownerReferences"][0]["name"] == chat.name.as_str();
    let children: Vec<&Value> = children.iter().filter(ours).collect();
    let list = json!({"apiVersion": "v1", "kind": "List", "items": children}).to_string();
    let list = list.replace("\"UID\"", &format!("\"{uid}\"")).replace("NAMESPACE", &chat.ns.name);
    let how = ["--server-side", "--field-manager=chatcluster-operator", "--namespace", &chat.ns.name];
    let applied = kubectl_with_input(&[&["apply"], &how[..], &["--filename", "-"]].concat(), &list).await;
    applied.unwrap_or_else(|error| panic!("{error}"));
}

/// The pods, by name and uid, and the templates that they are made from.
async fn pods(ns: &Namespace) -> Value {
    let mut seen = json!({});
    for kind in ["pods", "deployments", "statefulsets"] {
        let list = kubectl(&["get", kind, "--namespace", &ns.name, "--output=json"]).await.expect(kind);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        for object in list["items"].as_array().expect("items") {
            let (name, what) = (
                &object["metadata"]["name"],
                if kind == "pods" { &object["metadata"]["uid"] } else { &object["spec"]["template"] },
            );
            seen[kind][name.as_str().expect("a name")] = what.clone();
        }
    }
    seen
}

#[tokio::test]
async fn an_operator_of_this_version_restarts_no_pod_of_the_version_before() {
    let ns = super::namespace("upgrade").await;
    let file = repo().join("tests/previous/objects-0.1.0.json");
    let before: Value =
        serde_json::from_str(&std::fs::read_to_string(file).expect("the objects")).expect("JSON");
    let mine = json!({"redis.password": "the-users-own-password-0123456789"});
    ns.apply(json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "mine"}, "stringData": mine}))
        .await;
    let mut chats = Vec::new();
    for (name, spec) in before["chatclusters"].as_object().expect("ChatClusters") {
        let chat = ns.chat(name, spec.clone()).await;
        apply_as_before(&chat, before["children"].as_array().expect("children")).await;
        chats.push(chat);
    }
    let expected: usize = 2 + 1 + 3 + 1;
    let former = ns
        .eventually(SOON, "their pods are there", async || {
            let pods = pods(&ns).await;
            let count = pods["pods"].as_object().map_or(0, serde_json::Map::len);
            if count == expected { Ok(pods) } else { Err(format!("{count} pods")) }
        })
        .await;

    let way = Proxy::new(&ns, "operator").await;
    let _operator = Operator::start(&ns, "operator", &way);

    for chat in &chats {
        chat.becomes("HubReady", "True", "Ready", PODS).await;
        // What is new in this version comes to be.
        let budget = ns.child(Kind::PodDisruptionBudget, &format!("{}-hub", chat.name));
        ns.eventually(SOON, "a disruption budget", async || budget.seen().await).await;
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(pods(&ns).await, former);
}
