//! An API server that does not answer or answers with errors, and a malformed `ChatCluster`.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::asked::{ask_for, has};
use super::gate::Way;
use super::process::Operator;
use super::proxy::Proxy;
use crate::operator;
use crate::support::{Kind, Namespace, PODS, SOON, kubectl};

/// The duration of the trouble: longer than any back-off of the watches, shorter than a Lease.
const TROUBLE: Duration = Duration::from_secs(5);
/// The number of troubles that are tested at a time.
const AT_ONCE: usize = 4;
/// The bound for the operator to catch up afterwards: ten times as long as it takes.
const AFTERWARDS: Duration = Duration::from_mins(1);

fn spec() -> Value {
    json!({"hub": {"replicas": 1}, "redis": {"persistence": "None"}, "service": {"publish": "Immediately"}})
}

/// A function that begins a trouble.
type Begin = fn(&Proxy);

/// The faults of the API server, each worded to follow "an API server that".
const TROUBLES: [(&str, Begin); 7] = [
    ("closes connections", |proxy| proxy.set(Way::Cut)),
    ("is silent", |proxy| proxy.set(Way::Frozen)),
    ("answers 500", |proxy| proxy.answer("", StatusCode::INTERNAL_SERVER_ERROR)),
    ("answers 429", |proxy| proxy.answer("", StatusCode::TOO_MANY_REQUESTS)),
    ("answers 401", |proxy| proxy.answer("", StatusCode::UNAUTHORIZED)),
    ("answers 410", |proxy| proxy.answer("", StatusCode::GONE)),
    ("refuses to write children", |proxy| proxy.answer("/services/lobby", StatusCode::SERVICE_UNAVAILABLE)),
];

#[tokio::test]
async fn changes_made_while_the_api_server_is_in_trouble_are_caught_up_with_in_seconds_and_without_a_storm() {
    let all = stream::iter(TROUBLES).map(|(what, begin)| survives(what, begin));
    all.buffer_unordered(AT_ONCE).collect::<()>().await;
}

async fn survives(what: &str, begin: Begin) {
    let ns = super::namespace("trouble").await;
    let proxy = Proxy::new(&ns, "alone").await;
    tokio::select! {
        () = changes(&ns, &proxy, what, begin) => {}
        () = Operator::keep(&ns, "operator", &proxy) => unreachable!("the operator is kept for ever"),
    }
}

async fn changes(ns: &Namespace, proxy: &Proxy, what: &str, begin: Begin) {
    let (lobby, games) = (ns.chat("lobby", spec()).await, ns.chat("games", spec()).await);
    for service in [&lobby, &games].map(|chat| chat.child(Kind::Service, "")) {
        ns.wait_for(&service, PODS).await;
    }

    let before = (proxy.seen().borrow().requests, proxy.attempts());
    begin(proxy);
    for chat in [&lobby, &games] {
        ask_for(chat, what).await;
    }
    tokio::time::sleep(TROUBLE).await;
    let requests = proxy.seen().borrow().requests - before.0;
    let connections = proxy.attempts() - before.1;
    proxy.answer_nothing();
    proxy.set(Way::Open);
    let start = Instant::now();
    for chat in [&lobby, &games] {
        has(chat, what, AFTERWARDS).await;
    }

    println!(
        "an API server that {what}: {requests} requests, {connections} connections in {} s, caught up in {:.1} s",
        TROUBLE.as_secs(),
        start.elapsed().as_secs_f64(),
    );
    // The operator has ten watches, two clusters and a leader election to retry.
    assert!(requests < 200 && connections < 200, "{requests} requests while the API server {what}");
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let ns = super::namespace("ready").await;
    let proxy = Proxy::new(&ns, "alone").await;
    proxy.answer("/chatclusters", StatusCode::NOT_FOUND);
    proxy.answer("/secrets", StatusCode::FORBIDDEN);
    let operator = Operator::start(&ns, "operator", &proxy);

    let crd = "CustomResourceDefinition chatclusters.chatcluster.dev is not installed";
    operator.answers(&ns, "/readyz", 503, crd).await;
    operator.answers(&ns, "/readyz", 503, "secrets").await;
    operator.answers(&ns, "/healthz", 200, "ok").await;

    proxy.answer_nothing();
    operator.answers(&ns, "/readyz", 200, "ok").await;

    proxy.answer("/leases/chatcluster-operator", StatusCode::FORBIDDEN);
    let another = Operator::start(&ns, "another", &proxy);
    another.answers(&ns, "/readyz", 503, "leases").await;
}

#[tokio::test]
async fn an_unreachable_api_server_is_named_and_does_not_fail_the_liveness_probe() {
    let ns = super::namespace("reach").await;
    let proxy = Proxy::new(&ns, "alone").await;
    proxy.set(Way::Cut);
    let operator = Operator::start(&ns, "operator", &proxy);

    operator.answers(&ns, "/readyz", 503, "the API server cannot be reached").await;
    operator.answers(&ns, "/healthz", 200, "ok").await;

    proxy.set(Way::Open);
    operator.answers(&ns, "/readyz", 200, "ok").await;
}

#[tokio::test]
async fn a_malformed_chatcluster_is_named_and_stalls_no_other() {
    let ns = super::namespace("malformed").await;
    let proxy = Proxy::new(&ns, "alone").await;
    let mut operator = Operator::start(&ns, "operator", &proxy);
    let poisoned = ns.chat("poisoned", spec()).await;
    poisoned.has_all_children().await;
    let before = poisoned.child(Kind::Deployment, "-hub").get().await["spec"].clone();

    loosened(&ns, async || poisoned.try_set(json!({"networkPolicy": {"enabled": "maybe"}}), false).await)
        .await;

    let said = "spec.networkPolicy.enabled";
    let raw = poisoned.raw();
    ns.eventually(SOON, "its condition names the field", async || {
        let object = raw.get("poisoned").await.map_err(|error| error.to_string())?;
        let ready = object.data["status"]["conditions"][0].clone();
        let message = ready["message"].as_str().unwrap_or_default();
        if ready["reason"] == "Malformed" && message.contains(said) { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    poisoned.tells("Malformed", &[said]).await;
    let healthy = ns.chat("healthy", spec()).await;
    healthy.has_all_children().await;

    // It does not stall an operator that starts while it exists, either.
    operator.kill().await;
    let _next = Operator::start(&ns, "operator", &proxy);
    ask_for(&healthy, "more").await;
    has(&healthy, "more", AFTERWARDS).await;
    let told =
        poisoned.events().await.into_iter().filter(|e| e.reason.as_deref() == Some("Malformed")).count();
    assert_eq!(told, 1, "the fault is reported once");
    let after = poisoned.child(Kind::Deployment, "-hub").get().await["spec"].clone();
    assert_eq!(after, before, "the running hubs are left alone");

    poisoned.set(json!({"networkPolicy": {"enabled": true}})).await;
    poisoned.says("Ready", SOON, "is read again", |condition| condition.reason != "Malformed").await;
}

#[tokio::test]
async fn orphaned_children_survive_even_if_the_operator_learns_late_of_the_deletion() {
    let ns = super::namespace("left-behind").await;
    let proxy = Proxy::new(&ns, "alone").await;
    let _operator = Operator::start(&ns, "operator", &proxy);
    let lobby = ns.chat("lobby", spec()).await;
    lobby.has_all_children().await;
    let redis = lobby.child(Kind::StatefulSet, "-redis");
    let before = redis.uid().await;

    proxy.silence("/chatclusters");
    let delete = ["delete", "chatcluster", "lobby", "--namespace", &ns.name, "--cascade=orphan"];
    kubectl(&delete).await.unwrap_or_else(|error| panic!("{error}"));
    let asked = |read: &String| read.contains("/chatclusters?") && read.contains("metadata.name%3Dlobby");
    ns.eventually(SOON, "the operator has asked whether the ChatCluster still exists", async || {
        let reads = proxy.seen().borrow().reads.clone();
        if reads.iter().any(asked) { Ok(()) } else { Err(format!("{reads:?}")) }
    })
    .await;
    let lobby = ns.chat("lobby", spec()).await;
    proxy.silence_nothing();

    lobby.owns_all_children().await;
    assert_eq!(redis.uid().await, before, "Redis is the same one");
}

/// Makes a change that the CRD does not allow, as an older CRD might have.
async fn loosened<T>(ns: &Namespace, wrong: impl AsyncFn() -> kube::Result<T>) {
    let field =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/networkPolicy/properties/enabled";
    let anything = json!({"x-kubernetes-preserve-unknown-fields": true});
    let change = json!([{"op": "replace", "path": field, "value": anything}]).to_string();
    let crd = ["patch", "crd", "chatclusters.chatcluster.dev", "--type=json", "--patch", &change];
    kubectl(&crd).await.expect("patching the CRD");
    ns.eventually(SOON, "the API server accepts the change", async || {
        wrong().await.map(|_| ()).map_err(|e| e.to_string())
    })
    .await;
    operator::install_crds().await;
}
