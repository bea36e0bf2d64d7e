//! Golden files: objects as an API server has them, and the output that a person or a program gets.
//! `GOLDEN=write cargo test -p kubectl-chat` rewrites them; look at the difference before you commit it.

use k8s_openapi::jiff::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::shown::Shown;
use super::{summary, view};
use crate::output::Format;
use crate::read::Snapshot;
use crate::text::Paint;

const CREATED: &str = "2026-01-02T03:00:00Z";

fn from<T: DeserializeOwned>(value: Value) -> T {
    serde_json::from_value(value).unwrap()
}

fn meta(name: &str, part: &str) -> Value {
    json!({
        "name": name, "namespace": "town", "creationTimestamp": CREATED, "generation": 1,
        "labels": {"app.kubernetes.io/component": part},
        "ownerReferences": [{"apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster", "name": "lobby", "uid": "u1"}],
    })
}

fn pod(name: &str, part: &str, ready: bool, waiting: &Value) -> Value {
    let container = if part == "hub" { "hub" } else { "redis" };
    json!({
        "metadata": meta(name, part),
        "spec": {"nodeName": "node-1", "containers": [{"name": container, "image": "x"}]},
        "status": {
            "conditions": [{"type": "Ready", "status": if ready { "True" } else { "False" }}],
            "containerStatuses": [{"name": container, "image": "localhost/x:1", "imageID": "", "ready": ready,
                "restartCount": if ready { 0 } else { 3 }, "state": {"waiting": waiting}}],
        },
    })
}

fn condition(type_: &str, status: &str, reason: &str, message: &str) -> Value {
    json!({"type": type_, "status": status, "reason": reason, "message": message, "observedGeneration": 1,
        "lastTransitionTime": "2026-01-02T03:01:00Z"})
}

fn event(reason: &str, type_: &str, at: &str, message: &str) -> Value {
    json!({"metadata": {"name": reason}, "involvedObject": {}, "reason": reason, "type": type_, "message": message,
        "eventTime": at})
}

/// A healthy cluster.
fn lobby() -> Snapshot {
    let chat = json!({
        "apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
        "metadata": {"name": "lobby", "namespace": "town", "uid": "u1", "generation": 1, "creationTimestamp": CREATED},
        "spec": {"service": {"type": "LoadBalancer"}},
        "status": {
            "observedGeneration": 1, "address": "203.0.113.7", "hub": {"summary": "2/2"},
            "conditions": [
                condition("Ready", "True", "Ready", "2 hubs serve at 203.0.113.7"),
                condition("PasswordCurrent", "True", "Current", "the password that the spec names is in use"),
                condition("BackplaneReady", "True", "Ready", "Redis takes the password and answers"),
                condition("HubReady", "True", "Ready", "2 of 2 hubs are ready"),
                condition("Verified", "True", "Verified", "every ready hub is subscribed on Redis"),
                condition("Published", "True", "Published", "clients connect to 203.0.113.7"),
            ],
        },
    });
    let template =
        |container: &str, image: &str| json!({"spec": {"containers": [{"name": container, "image": image}]}});
    let mut hub = template("hub", "localhost/chatcluster-hub:0.2.0");
    hub["spec"]["volumes"] = json!([{"name": "hub-token", "secret": {"secretName": "lobby-hub-token"}}]);
    let service = |name: &str, part: &str, spec: Value, status: Value| json!({"metadata": meta(name, part), "spec": spec, "status": status});
    Snapshot {
        chat: from(chat),
        deployments: vec![from(json!({
            "metadata": meta("lobby-hub", "hub"),
            "spec": {"replicas": 2, "selector": {}, "template": hub},
            "status": {"observedGeneration": 1, "replicas": 2, "updatedReplicas": 2, "readyReplicas": 2},
        }))],
        autoscalers: vec![from(json!({
            "metadata": meta("lobby-hub", "hub"),
            "spec": {"minReplicas": 2, "maxReplicas": 6, "scaleTargetRef": {"kind": "ChatCluster", "name": "lobby"}},
            "status": {"desiredReplicas": 2, "conditions": [{"type": "AbleToScale", "status": "True"}]},
        }))],
        budgets: vec![from(json!({
            "metadata": meta("lobby-hub", "hub"),
            "status": {"disruptionsAllowed": 1, "currentHealthy": 2, "desiredHealthy": 1, "expectedPods": 2},
        }))],
        stateful_sets: vec![from(json!({
            "metadata": meta("lobby-redis", "backplane"),
            "spec": {"replicas": 1, "selector": {}, "serviceName": "lobby-redis-nodes", "template": template("redis", "redis:7.2")},
            "status": {"observedGeneration": 1, "replicas": 1, "readyReplicas": 1, "currentRevision": "a", "updateRevision": "a"},
        }))],
        claims: vec![from(json!({
            "metadata": {"name": "data-lobby-redis-0", "creationTimestamp": CREATED}, "spec": {"storageClassName": "local"},
            "status": {"phase": "Bound", "capacity": {"storage": "1Gi"}},
        }))],
        pods: vec![
            from(pod("lobby-hub-b", "hub", true, &Value::Null)),
            from(pod("lobby-hub-a", "hub", true, &Value::Null)),
            from(pod("lobby-redis-0", "backplane", true, &Value::Null)),
        ],
        services: vec![
            from(service(
                "lobby",
                "hub",
                json!({"type": "LoadBalancer", "ports": [{"port": 80}]}),
                json!({"loadBalancer": {"ingress": [{"ip": "203.0.113.7"}]}}),
            )),
            from(service(
                "lobby-redis",
                "backplane",
                json!({"type": "ClusterIP", "ports": [{"port": 6379}]}),
                json!({}),
            )),
            from(service("lobby-redis-nodes", "backplane", json!({"clusterIP": "None"}), json!({}))),
        ],
        config_maps: vec![from(json!({"metadata": meta("lobby-redis-config", "backplane")}))],
        policies: vec![
            from(json!({"metadata": meta("lobby-hub", "hub")})),
            from(json!({"metadata": meta("lobby-redis", "backplane")})),
        ],
        events: vec![
            from(event(
                "Published",
                "Normal",
                "2026-01-02T03:02:00.000000Z",
                "clients connect to 203.0.113.7",
            )),
            from(event(
                "Verified",
                "Normal",
                "2026-01-02T03:01:00.000000Z",
                "every ready hub is subscribed on Redis",
            )),
        ],
        operator: Some(from(json!({
            "metadata": {"name": "chatcluster-operator", "namespace": "chatcluster-system"},
            "spec": {"replicas": 2, "selector": {}, "template": {"spec": {"containers": [
                {"name": "operator", "image": "registry.example.com:5000/team/chatcluster-operator:0.2.0"}]}}},
            "status": {"readyReplicas": 2},
        }))),
        notes: Vec::new(),
    }
}

/// A paused cluster with faults: one hub cannot pull its image, another is not seen on the backplane, and
/// some kinds may not be read.
fn troubled() -> Snapshot {
    let mut snapshot = lobby();
    let waiting = json!({"reason": "ImagePullBackOff", "message": "not found"});
    snapshot.pods[0] = from(pod("lobby-hub-b", "hub", false, &waiting));
    snapshot.chat.spec.paused = true;
    snapshot.chat.metadata.generation = Some(2);
    let status = snapshot.chat.status.as_mut().unwrap();
    status.address = None;
    status.hub.summary = "1/2".into();
    status.conditions = vec![
        from(condition("Ready", "False", "ImagePullFailed", "pod lobby-hub-b cannot pull its image")),
        from(condition("HubReady", "False", "ImagePullFailed", "pod lobby-hub-b cannot pull its image")),
        from(condition(
            "Verified",
            "False",
            "HubNotSubscribed",
            "hub pod lobby-hub-a is ready but not subscribed on Redis",
        )),
    ];
    for condition in &mut status.conditions {
        condition.observed_generation = Some(2);
    }
    status.pending = from(json!([{"child": "Deployment/lobby-hub", "action": "Update", "restarts": "hub",
        "fields": ["spec.template.spec.containers[hub].image"]}]));
    snapshot.operator = None;
    snapshot.services.clear();
    snapshot.events = vec![from(event(
        "ImagePullFailed",
        "Warning",
        "2026-01-02T03:04:00.000000Z",
        "pod lobby-hub-b cannot",
    ))];
    snapshot.notes.push("you may not list services in namespace town: they are left out".into());
    snapshot
}

fn now() -> Timestamp {
    "2026-01-02T03:05:30Z".parse().unwrap()
}

fn is_golden(name: &str, text: &str) {
    let path = format!("{}/src/status/golden/{name}", env!("CARGO_MANIFEST_DIR"));
    if std::env::var("GOLDEN").is_ok_and(|value| value == "write") {
        std::fs::write(&path, text).unwrap();
    }
    let golden = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    assert!(text == golden, "{name} is another one now (GOLDEN=write writes it anew):\n{text}");
}

fn drawn(snapshot: &Snapshot, format: Option<Format>) -> String {
    Shown::One(Box::new(view::of(snapshot))).write(format, Paint::NEVER, now()).unwrap()
}

#[test]
fn a_cluster_that_is_well() {
    is_golden("well.txt", &drawn(&lobby(), None));
}

#[test]
fn a_cluster_in_trouble() {
    is_golden("troubled.txt", &drawn(&troubled(), None));
}

#[test]
fn for_programs() {
    is_golden("well.json", &drawn(&lobby(), Some(Format::Json)));
    is_golden("troubled.yaml", &drawn(&troubled(), Some(Format::Yaml)));
}

#[test]
fn all_clusters_in_a_table() {
    let mut kitchen = troubled().chat;
    kitchen.metadata.name = Some("kitchen".into());
    let mut unseen = lobby().chat;
    unseen.metadata.name = Some("attic".into());
    unseen.status = None;
    let all = summary::All::of(&[lobby().chat, kitchen, unseen]);

    is_golden("table.txt", &all.draw(Paint::NEVER, now()));
}

#[test]
fn json_and_yaml_say_the_same() {
    let json: Value = serde_json::from_str(&drawn(&troubled(), Some(Format::Json))).unwrap();
    let yaml: Value = serde_saphyr::from_str(&drawn(&troubled(), Some(Format::Yaml))).unwrap();

    assert_eq!(json, yaml);
}

#[test]
fn without_colours_nothing_escapes_and_with_them_the_words_are_the_same() {
    let shown = Shown::One(Box::new(view::of(&troubled())));
    let plain = shown.write(None, Paint::NEVER, now()).unwrap();
    let coloured = shown.write(None, Paint::ALWAYS, now()).unwrap();

    let stripped: String = coloured
        .split('\x1b')
        .enumerate()
        .map(|(i, piece)| if i == 0 { piece } else { piece.split_once('m').unwrap().1 })
        .collect();
    assert!(!plain.contains('\x1b'));
    assert_eq!(stripped, plain);
}

#[test]
fn a_secret_that_an_operator_of_an_earlier_version_does_not_make_is_not_listed() {
    let mut snapshot = lobby();
    snapshot.deployments[0].spec.as_mut().unwrap().template.spec.as_mut().unwrap().volumes = None;

    assert!(!drawn(&snapshot, None).contains("hub-token"));
}

#[test]
fn an_object_of_the_same_labels_that_is_somebody_elses_is_no_child() {
    let mut snapshot = lobby();
    let mut foreign = meta("lobby-imposter", "hub");
    foreign["ownerReferences"][0]["uid"] = json!("u2");
    snapshot.services.push(from(json!({"metadata": foreign, "spec": {}})));

    assert!(!drawn(&snapshot, None).contains("imposter"));
}
