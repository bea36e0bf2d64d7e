//! The operator is killed after each of its writes, alternately with and without the answer to that write.
//! The next operator finishes the job: the objects are the same as without a kill, and nothing is left over
//! or created twice.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use futures::{StreamExt as _, stream};
use kube::api::{Api, DynamicObject, ListParams};
use serde_json::{Value, json};

use super::process::Operator;
use super::proxy::{Limit, Proxy};
use crate::redis::Redis;
use crate::support::{Chat, Kind, Namespace, PODS, SOON};

/// The number of lives that run at a time.
const AT_ONCE: usize = 5;

const KINDS: [Kind; 8] = [
    Kind::Secret,
    Kind::ConfigMap,
    Kind::Service,
    Kind::NetworkPolicy,
    Kind::StatefulSet,
    Kind::Deployment,
    Kind::PodDisruptionBudget,
    Kind::HorizontalPodAutoscaler,
];

/// The spec of a cluster that becomes ready without a running container and without a load balancer.
fn at_first() -> Value {
    json!({
        "hub": {"replicas": 1, "verify": "Readiness"},
        "redis": {"persistence": "None"},
        "service": {"type": "ClusterIP"},
    })
}

/// A change of the spec that changes every child.
fn later() -> Value {
    json!({
        "hub": {"image": "localhost/hub:later", "autoscaling": {"minReplicas": 1, "maxReplicas": 3}},
        "redis": {"config": {"maxmemory": "10mb"}, "auth": {"existingSecret": {"name": "mine"}}},
        "service": {"port": 8000},
        "networkPolicy": {"enabled": false},
        "childMetadata": {"labels": {"example.com/team": "chat"}},
    })
}

/// The state in which a life ended.
#[derive(Debug, PartialEq)]
struct End {
    /// The objects that the operator made, without the parts that differ between namespaces or passwords.
    objects: BTreeMap<String, Value>,
    /// The number of events with each reason.
    told: BTreeMap<String, usize>,
}

impl End {
    fn differences(&self, undisturbed: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let names: BTreeSet<&String> = self.objects.keys().chain(undisturbed.objects.keys()).collect();
        for name in names {
            let (is, expected) = (self.objects.get(name), undisturbed.objects.get(name));
            if is != expected {
                differences.push(format!("{name} is {is:#?}, expected {expected:#?}"));
            }
        }
        for (reason, count) in &self.told {
            let expected = undisturbed.told.get(reason).copied().unwrap_or(1);
            // An event may be sent before the kill, and again after it if the status did not record it.
            if *count > expected + 1 || reason == "Repaired" {
                differences.push(format!("there were {count} events {reason}"));
            }
        }
        differences
    }
}

/// Runs a cluster's life in a namespace of its own: the cluster is created, then changed. The operator that
/// does either is killed at the limit, and another one finishes the job. Returns, for both, the end and the
/// writes up to the kill.
async fn life(limit: Option<Limit>) -> [(End, Vec<String>); 2] {
    let ns = super::namespace("interrupted").await;
    ns.apply_secret("mine", json!({"redis.password": "correct-horse-battery-staple"})).await;
    let lobby = Chat::named(&ns, "lobby");
    let life = async {
        let made = interrupted(&lobby, limit, lobby.create(at_first())).await;
        let changed = interrupted(&lobby, limit, lobby.set(later())).await;
        [made, changed]
    };
    tokio::select! {
        ends = life => ends,
        () = keep_redis(&lobby) => unreachable!("Redis is kept for ever"),
    }
}

async fn interrupted(
    lobby: &Chat<'_>,
    limit: Option<Limit>,
    asked: impl Future<Output = ()>,
) -> (End, Vec<String>) {
    let way = Proxy::new(lobby.ns, "first").await;
    if let Some(limit) = limit {
        way.limit(limit);
    }
    let mut first = Operator::start(lobby.ns, "operator", &way);
    asked.await;
    tokio::select! {
        () = at(limit, &way) => {}
        () = first.loses() => {}
        // The job may take fewer writes than the limit.
        _ = lobby.becomes("Ready", "True", "Ready", PODS) => {}
    }
    first.kill().await;
    let written = way.seen().borrow().writes.clone();

    let way = Proxy::new(lobby.ns, "second").await;
    let finished = async {
        lobby.becomes("Ready", "True", "Ready", PODS).await;
        // An event may still be written after that.
        lobby.ns.eventually(SOON, "the operator has finished", async || done(&way).await).await;
    };
    tokio::select! {
        () = finished => {}
        () = Operator::keep(lobby.ns, "operator", &way) => unreachable!("the operator is kept for ever"),
    }
    (end(lobby).await, written)
}

/// Waits until the limit is reached.
async fn at(limit: Option<Limit>, way: &Proxy) {
    let Some(limit) = limit else { return std::future::pending().await };
    let mut seen = way.seen();
    let _ = seen.wait_for(|seen| seen.writes.len() >= limit.writes).await;
    if limit.answered {
        // The operator has received the answer when it goes on to the next write, if there is one.
        let next = seen.wait_for(|seen| seen.withheld > 0);
        let _ = tokio::time::timeout(Duration::from_millis(100), next).await;
    }
}

/// Succeeds if the operator writes nothing more for a moment.
async fn done(way: &Proxy) -> Result<(), String> {
    let mut seen = way.seen();
    let before = seen.borrow_and_update().writes.len();
    let writes = seen.wait_for(|seen| seen.writes.len() > before);
    let another = tokio::time::timeout(Duration::from_millis(300), writes).await;
    if another.is_err() { Ok(()) } else { Err(format!("more than {before} writes")) }
}

/// Runs a Redis at the address of the cluster's Redis pod, also after that pod is replaced, with the users
/// that the cluster's Secret names.
async fn keep_redis(lobby: &Chat<'_>) {
    let (pod, secret) = (lobby.child(Kind::Pod, "-redis-0"), lobby.child(Kind::Secret, "-redis-auth"));
    let mut current = Value::Null;
    let mut redis = None;
    loop {
        current = lobby
            .ns
            .eventually(PODS, "there is another Redis pod", async || {
                let (pod, _) = (pod.seen().await?, secret.seen().await?);
                let ready = pod["status"]["podIP"].is_string();
                let uid = pod["metadata"]["uid"].clone();
                if !ready || uid == current { Err("there is none".into()) } else { Ok(uid) }
            })
            .await;
        drop(redis.take());
        redis = Some(Redis::of(lobby).await);
    }
}

async fn end(lobby: &Chat<'_>) -> End {
    let uid = lobby.get().await.metadata.uid.expect("a uid");
    let mut objects = BTreeMap::new();
    for kind in KINDS {
        let api: Api<DynamicObject> =
            Api::namespaced_with(lobby.ns.client.clone(), &lobby.ns.name, &kind.resource());
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=chatcluster-operator");
        for object in api.list(&ours).await.expect("a list") {
            let name = format!("{kind:?} {}", object.metadata.name.as_deref().unwrap_or_default());
            let text = serde_json::to_string(&object).expect("JSON");
            let text = text.replace(&lobby.ns.name, "NAMESPACE").replace(&uid, "UID");
            objects.insert(name, without_chance(kind, serde_json::from_str(&text).expect("JSON")));
        }
    }
    let mut told = BTreeMap::new();
    for event in lobby.events().await {
        *told.entry(event.reason.unwrap_or_default()).or_default() += 1;
    }
    End { objects, told }
}

/// Removes the values that the API server, other controllers and chance decide. The generation stays: it
/// counts the changes.
fn without_chance(kind: Kind, mut object: Value) -> Value {
    if kind == Kind::Secret
        && let Some(values) = object["data"].as_object_mut()
    {
        values.values_mut().for_each(|value| *value = Value::Null);
    }
    for pointer in ["", "/spec", "/metadata", "/metadata/annotations", "/spec/template/metadata/annotations"]
    {
        if let Some(map) = object.pointer_mut(pointer).and_then(Value::as_object_mut) {
            for chance in [
                "status",
                "uid",
                "resourceVersion",
                "creationTimestamp",
                "managedFields",
                "chatcluster.dev/applied",
                "chatcluster.dev/auth-revision",
                "chatcluster.dev/token-revision",
                "clusterIP",
                "clusterIPs",
            ] {
                map.remove(chance);
            }
        }
    }
    object
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_job_of_an_operator_that_is_killed_after_any_write_is_finished_by_the_next_one() {
    let undisturbed = life(None).await;
    let most = undisturbed.iter().map(|(_, writes)| writes.len()).max().unwrap_or_default();
    // The answer makes no difference to the objects: the operator writes nothing more in either case.
    let limits = (1..=most).map(|writes| Limit { writes, answered: writes % 2 == 0 });
    let lives = stream::iter(limits).map(|limit| async move { (limit, life(Some(limit)).await) });
    let lives: Vec<_> = lives.buffer_unordered(AT_ONCE).collect().await;

    let mut wrong = Vec::new();
    for (limit, ends) in &lives {
        for ((end, written), (expected, _)) in ends.iter().zip(&undisturbed) {
            for difference in end.differences(expected) {
                wrong.push(format!("{limit:?}, killed after {written:#?}: {difference}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let [made, changed] = undisturbed.map(|(_, writes)| writes.len());
    println!("killed after each of the {made} writes that create a cluster and the {changed} that change it");
}

#[tokio::test]
async fn a_deleted_cluster_goes_without_any_write_of_the_operator() {
    let ns = super::namespace("delete").await;
    let proxy = Proxy::new(&ns, "alone").await;
    let operator = Operator::start(&ns, "operator", &proxy);
    let lobby = ns.chat("lobby", at_first()).await;
    ns.wait_for(&lobby.child(Kind::Service, "-redis"), SOON).await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    // No Redis answers, so the cluster gets no further, and this event is the operator's last write.
    lobby.tells("Unreachable", &[]).await;

    proxy.limit(Limit { writes: 0, answered: false });
    lobby.delete().await;

    let nothing = async |ns: &Namespace| {
        let end = end_of_namespace(ns).await;
        if end.is_empty() { Ok(()) } else { Err(format!("{end:?}")) }
    };
    ns.eventually(SOON, "everything is gone", async || nothing(&ns).await).await;
    assert_eq!(proxy.seen().borrow().withheld, 0, "{}", operator.log());
}

async fn end_of_namespace(ns: &Namespace) -> Vec<String> {
    let mut left = Vec::new();
    for kind in KINDS {
        let api: Api<DynamicObject> = Api::namespaced_with(ns.client.clone(), &ns.name, &kind.resource());
        let ours = ListParams::default().labels("app.kubernetes.io/managed-by=chatcluster-operator");
        left.extend(
            api.list(&ours).await.expect("a list").into_iter().filter_map(|object| object.metadata.name),
        );
    }
    left
}
