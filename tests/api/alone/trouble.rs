//! An API server that does not answer, or not as it should, and a `ChatCluster` that is none.

use std::time::{Duration, Instant};

use axum::http::StatusCode;
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::gate::Way;
use super::process::Operator;
use super::proxy::Proxy;
use crate::operator;
use crate::support::{Chat, Kind, Namespace, PODS, SOON, kubectl};

/// How long trouble lasts here: longer than any back-off of the watches, shorter than a Lease.
const TROUBLE: Duration = Duration::from_secs(5);
/// How many of them at a time.
const AT_ONCE: usize = 4;
/// Within which what was missed is made good: ten times what it takes.
const AFTERWARDS: Duration = Duration::from_mins(1);

fn spec() -> Value {
    json!({"hub": {"replicas": 1}, "redis": {"persistence": "None"}, "service": {"publish": "Immediately"}})
}

async fn answers(ns: &Namespace, operator: &Operator, path: &str, code: u16, words: &str) {
    ns.eventually(SOON, &format!("{path} is {code}: {words}"), async || {
        let answer = operator.get(path).await?;
        if answer.0 == code && answer.1.contains(words) { Ok(()) } else { Err(format!("{answer:?}")) }
    })
    .await;
}

async fn has(chat: &Chat<'_>, value: &str) {
    let service = chat.child(Kind::Service, "");
    let what = format!("the Service of {} has what was asked for: {value}", chat.name);
    chat.ns
        .eventually(AFTERWARDS, &what, async || {
            let annotations = service.seen().await?["metadata"]["annotations"].clone();
            if annotations["example.com/asked-for"] == value { Ok(()) } else { Err(annotations.to_string()) }
        })
        .await;
}

async fn ask_for(chat: &Chat<'_>, value: &str) {
    chat.set(json!({"service": {"annotations": {"example.com/asked-for": value}}})).await;
}

type Begin = fn(&Proxy);

/// An API server that …
const TROUBLES: [(&str, Begin); 7] = [
    ("closes connections", |proxy| proxy.set(Way::Cut)),
    ("is silent", |proxy| proxy.set(Way::Frozen)),
    ("answers 500", |proxy| proxy.answer("", StatusCode::INTERNAL_SERVER_ERROR)),
    ("answers 429", |proxy| proxy.answer("", StatusCode::TOO_MANY_REQUESTS)),
    ("answers 401", |proxy| proxy.answer("", StatusCode::UNAUTHORIZED)),
    ("knows no version any more", |proxy| proxy.answer("", StatusCode::GONE)),
    ("refuses to write children", |proxy| proxy.answer("/services/lobby", StatusCode::SERVICE_UNAVAILABLE)),
];

#[tokio::test]
async fn what_changes_while_the_api_server_is_in_trouble_is_made_good_within_seconds_without_a_storm() {
    let all = stream::iter(TROUBLES).map(|(what, begin)| survives(what, begin));
    all.buffer_unordered(AT_ONCE).collect::<()>().await;
}

async fn survives(what: &str, begin: Begin) {
    let ns = super::namespace("trouble").await;
    let proxy = Proxy::new(&ns, "alone").await;
    tokio::select! {
        () = changes(&ns, &proxy, what, begin) => {}
        () = Operator::keep(&ns, "operator", &proxy) => unreachable!("it is kept for ever"),
    }
}

async fn changes(ns: &Namespace, proxy: &Proxy, what: &str, begin: Begin) {
    let (lobby, games) = (ns.chat("lobby", spec()).await, ns.chat("games", spec()).await);
    for service in [&lobby, &games].map(|chat| chat.child(Kind::Service, "")) {
        ns.eventually(PODS, &format!("{service} is made"), async || service.seen().await).await;
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
        has(chat, what).await;
    }

    println!(
        "an API server that {what}: {requests} requests, {connections} connections in {} s, made good within {:.1} s",
        TROUBLE.as_secs(),
        start.elapsed().as_secs_f64(),
    );
    // Ten watches, two clusters, an election.
    assert!(requests < 200 && connections < 200, "{requests} requests while the API server {what}");
}

#[tokio::test]
async fn readiness_names_what_is_missing() {
    let ns = super::namespace("ready").await;
    let proxy = Proxy::new(&ns, "alone").await;
    proxy.answer("/chatclusters", StatusCode::NOT_FOUND);
    proxy.answer("/secrets", StatusCode::FORBIDDEN);
    let operator = Operator::start(&ns, "operator", &proxy);

    answers(
        &ns,
        &operator,
        "/readyz",
        503,
        "CustomResourceDefinition chatclusters.chatcluster.dev is not installed",
    )
    .await;
    answers(&ns, &operator, "/readyz", 503, "secrets").await;
    answers(&ns, &operator, "/healthz", 200, "ok").await;

    proxy.answer_nothing();
    answers(&ns, &operator, "/readyz", 200, "ok").await;

    proxy.answer("/leases/chatcluster-operator", StatusCode::FORBIDDEN);
    let another = Operator::start(&ns, "another", &proxy);
    answers(&ns, &another, "/readyz", 503, "leases").await;
}

#[tokio::test]
async fn an_api_server_out_of_reach_is_named_and_no_reason_to_be_restarted() {
    let ns = super::namespace("reach").await;
    let proxy = Proxy::new(&ns, "alone").await;
    proxy.set(Way::Cut);
    let operator = Operator::start(&ns, "operator", &proxy);

    answers(&ns, &operator, "/readyz", 503, "the API server cannot be reached").await;
    answers(&ns, &operator, "/healthz", 200, "ok").await;

    proxy.set(Way::Open);
    answers(&ns, &operator, "/readyz", 200, "ok").await;
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
    ns.eventually(SOON, "its condition says so", async || {
        let object = raw.get("poisoned").await.map_err(|error| error.to_string())?;
        let ready = object.data["status"]["conditions"][0].clone();
        let message = ready["message"].as_str().unwrap_or_default();
        if ready["reason"] == "Malformed" && message.contains(said) { Ok(()) } else { Err(ready.to_string()) }
    })
    .await;
    poisoned.tells("Malformed", &[said]).await;
    let healthy = ns.chat("healthy", spec()).await;
    healthy.has_all_children().await;

    // Also one that starts while it is there.
    operator.kill().await;
    let _next = Operator::start(&ns, "operator", &proxy);
    ask_for(&healthy, "more").await;
    has(&healthy, "more").await;
    let told =
        poisoned.events().await.into_iter().filter(|e| e.reason.as_deref() == Some("Malformed")).count();
    assert_eq!(told, 1, "it is told once");
    assert_eq!(
        poisoned.child(Kind::Deployment, "-hub").get().await["spec"],
        before,
        "what runs is left alone"
    );

    poisoned.set(json!({"networkPolicy": {"enabled": true}})).await;
    poisoned.says("Ready", SOON, "is read again", |condition| condition.reason != "Malformed").await;
}

#[tokio::test]
async fn what_a_chatcluster_leaves_behind_stays_even_if_the_operator_hears_late_of_its_deletion() {
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
    ns.eventually(SOON, "the operator has asked whether the ChatCluster is there", async || {
        let reads = proxy.seen().borrow().reads.clone();
        if reads.iter().any(asked) { Ok(()) } else { Err(format!("{reads:?}")) }
    })
    .await;
    let lobby = ns.chat("lobby", spec()).await;
    proxy.silence_nothing();

    lobby.owns_all_children().await;
    assert_eq!(redis.uid().await, before, "Redis is the same one");
}

/// Does something that the CRD does not allow, as an older CRD might have.
async fn loosened<T>(ns: &Namespace, wrong: impl AsyncFn() -> kube::Result<T>) {
    let field =
        "/spec/versions/0/schema/openAPIV3Schema/properties/spec/properties/networkPolicy/properties/enabled";
    let anything = json!({"x-kubernetes-preserve-unknown-fields": true});
    let change = json!([{"op": "replace", "path": field, "value": anything}]).to_string();
    let crd = ["patch", "crd", "chatclusters.chatcluster.dev", "--type=json", "--patch", &change];
    kubectl(&crd).await.expect("patching the CRD");
    ns.eventually(SOON, "the API server takes it", async || {
        wrong().await.map(|_| ()).map_err(|e| e.to_string())
    })
    .await;
    operator::install_crds().await;
}
