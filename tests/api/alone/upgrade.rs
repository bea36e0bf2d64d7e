//! From the version before: its objects, as it applied them (`tests/previous/objects-0.1.0.json`), are there when an operator of this
//! version comes. No pod restarts but those that CHANGELOG.md names: hubs, for the one constraint and the one Secret that are new in
//! their template. (Where hubs take their image from the chart, that is another reason; the image here is the same.)

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

/// What is new in the template of hubs.
const ZONES: &str = "topology.kubernetes.io/zone";
/// The volume, and by the ends of their names the Secret and what goes with it.
const TOKEN: &str = "hub-token";

/// Takes away what the changelog says is new.
fn without_news(mut template: Value) -> Value {
    let retain = |place: &mut Value, is_old: &dyn Fn(&Value) -> bool| {
        if let Some(items) = place.as_array_mut() {
            items.retain(is_old);
        }
    };
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("chatcluster.dev/token-revision");
        if annotations.is_empty() {
            template["metadata"].as_object_mut().expect("metadata").remove("annotations");
        }
    }
    let spec = &mut template["spec"];
    retain(&mut spec["topologySpreadConstraints"], &|constraint| constraint["topologyKey"] != ZONES);
    retain(&mut spec["volumes"], &|volume| volume["name"] != TOKEN);
    for container in spec["containers"].as_array_mut().expect("containers") {
        retain(&mut container["volumeMounts"], &|mount| mount["name"] != TOKEN);
        retain(&mut container["env"], &|env| env["name"] != "HUB_TOKEN_KEY_FILE");
    }
    template
}

/// The pods of Redis, by name and uid, and all templates, without what the changelog says is new in them.
async fn seen(ns: &Namespace) -> Value {
    let mut seen = json!({});
    for kind in ["pods", "deployments", "statefulsets"] {
        let list = kubectl(&["get", kind, "--namespace", &ns.name, "--output=json"]).await.expect(kind);
        let list: Value = serde_json::from_str(&list).expect("JSON");
        for object in list["items"].as_array().expect("items") {
            let name = object["metadata"]["name"].as_str().expect("a name");
            if kind == "pods" {
                if name.ends_with("-redis-0") {
                    seen[kind][name] = object["metadata"]["uid"].clone();
                }
                continue;
            }
            seen[kind][name] = without_news(object["spec"]["template"].clone());
        }
    }
    seen
}

#[tokio::test]
async fn an_operator_of_this_version_restarts_no_pod_of_the_version_before_that_the_changelog_does_not_name()
{
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
    let changelog = std::fs::read_to_string(repo().join("CHANGELOG.md")).expect("the changelog");
    for news in [ZONES, TOKEN] {
        assert!(changelog.contains(news), "the changelog does not say that hubs restart for {news}");
    }
    let former = ns
        .eventually(SOON, "the pods of Redis are there", async || {
            let seen = seen(&ns).await;
            let count = seen["pods"].as_object().map_or(0, serde_json::Map::len);
            if count == chats.len() { Ok(seen) } else { Err(format!("{count} pods")) }
        })
        .await;

    let way = Proxy::new(&ns, "operator").await;
    let _operator = Operator::start(&ns, "operator", &way);

    for chat in &chats {
        chat.becomes("HubReady", "True", "Ready", PODS).await;
        // What is new in this version comes to be.
        for (kind, suffix) in [(Kind::PodDisruptionBudget, "-hub"), (Kind::Secret, "-hub-token")] {
            let new = chat.child(kind, suffix);
            ns.eventually(SOON, &format!("{new} is made"), async || new.seen().await).await;
        }
        let volumes =
            chat.child(Kind::Deployment, "-hub").get().await["spec"]["template"]["spec"]["volumes"].clone();
        assert!(volumes.to_string().contains(TOKEN), "{volumes}");
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(seen(&ns).await, former);
}
