//! Upgrades from earlier versions. The objects of each, as its operator applied them
//! (`tests/previous/objects-VERSION.json`), exist when an operator of this version starts. No pod restarts
//! except the ones that CHANGELOG.md names: hubs, because of the additions to their template. (Another
//! default image in the chart restarts hubs as well; here the image is the same.)

use serde_json::{Value, json};

use super::process::Operator;
use super::proxy::Proxy;
use crate::support::{A_WHILE, Chat, Kind, Namespace, PODS, SOON, kubectl, kubectl_with_input, repo};

/// A change of the hubs' pod template since an earlier version.
struct News {
    /// The version before the change: CHANGELOG.md announces it under "Upgrading from" this version.
    upgrading_from: &'static str,
    /// The word by which CHANGELOG.md and the template show it.
    word: &'static str,
    /// Removes the change from a pod template.
    remove: fn(&mut Value),
    /// An object that the same version introduced, by its kind and the end of its name.
    child: (Kind, &'static str),
}

/// From the oldest to the newest.
const NEWS: [News; 2] = [
    News {
        upgrading_from: "0.1.0",
        word: "topology.kubernetes.io/zone",
        remove: without_zones,
        child: (Kind::PodDisruptionBudget, "-hub"),
    },
    News {
        upgrading_from: "0.2.0",
        word: "hub-token",
        remove: without_token,
        child: (Kind::Secret, "-hub-token"),
    },
];

fn without_zones(template: &mut Value) {
    retain(&mut template["spec"]["topologySpreadConstraints"], |constraint| {
        constraint["topologyKey"] != "topology.kubernetes.io/zone"
    });
}

fn without_token(template: &mut Value) {
    if let Some(annotations) = template.pointer_mut("/metadata/annotations").and_then(Value::as_object_mut) {
        annotations.remove("chatcluster.dev/token-revision");
        if annotations.is_empty() {
            template["metadata"].as_object_mut().expect("metadata").remove("annotations");
        }
    }
    let spec = &mut template["spec"];
    retain(&mut spec["volumes"], |volume| volume["name"] != "hub-token");
    for container in spec["containers"].as_array_mut().expect("containers") {
        retain(&mut container["volumeMounts"], |mount| mount["name"] != "hub-token");
        retain(&mut container["env"], |env| env["name"] != "HUB_TOKEN_KEY_FILE");
    }
}

fn retain(list: &mut Value, is_old: impl Fn(&Value) -> bool) {
    if let Some(items) = list.as_array_mut() {
        items.retain(is_old);
    }
}

/// Creates the children of `chat` as the earlier version did: with the same field manager.
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

/// The Redis pods, by name and uid, and all pod templates, without the `news` in them.
async fn seen(ns: &Namespace, news: &[News]) -> Value {
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
            let mut template = object["spec"]["template"].clone();
            for news in news {
                (news.remove)(&mut template);
            }
            seen[kind][name] = template;
        }
    }
    seen
}

/// The part of CHANGELOG.md that says what restarts when one upgrades from `version`.
fn upgrading_from(version: &str) -> String {
    let changelog = std::fs::read_to_string(repo().join("CHANGELOG.md")).expect("the changelog");
    let heading = format!("### Upgrading from {version}\n");
    let (_, section) = changelog.split_once(&heading).unwrap_or_else(|| panic!("no section {heading}"));
    section.split("\n## ").next().unwrap_or_default().to_owned()
}

/// Lets an operator of this version take over what the operator of `version` made.
async fn upgrade(version: &str) {
    let skipped = NEWS.iter().position(|news| news.upgrading_from == version).expect("something is new");
    let news = &NEWS[skipped..];
    for News { upgrading_from: before, word, .. } in news {
        let section = upgrading_from(before);
        assert!(section.contains(word), "the changelog does not say that hubs restart because of {word}");
    }
    let ns = super::namespace("upgrade").await;
    let file = repo().join(format!("tests/previous/objects-{version}.json"));
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
    let former = ns
        .eventually(SOON, "the Redis pods exist", async || {
            let seen = seen(&ns, news).await;
            let count = seen["pods"].as_object().map_or(0, serde_json::Map::len);
            if count == chats.len() { Ok(seen) } else { Err(format!("{count} pods")) }
        })
        .await;

    let way = Proxy::new(&ns, "operator").await;
    let _operator = Operator::start(&ns, "operator", &way);

    for chat in &chats {
        chat.becomes("HubReady", "True", "Ready", PODS).await;
        for News { word, child: (kind, suffix), .. } in news {
            let new = chat.child(*kind, suffix);
            ns.eventually(SOON, &format!("{new} exists"), async || new.seen().await).await;
            let template = chat.child(Kind::Deployment, "-hub").get().await["spec"]["template"].to_string();
            assert!(template.contains(word), "no {word} in {template}");
        }
    }
    tokio::time::sleep(A_WHILE).await;
    assert_eq!(seen(&ns, news).await, former);
}

#[tokio::test]
async fn an_upgrade_from_0_1_0_restarts_no_pod_that_the_changelog_does_not_name() {
    upgrade("0.1.0").await;
}

#[tokio::test]
async fn an_upgrade_from_0_2_0_restarts_no_pod_that_the_changelog_does_not_name() {
    upgrade("0.2.0").await;
}
