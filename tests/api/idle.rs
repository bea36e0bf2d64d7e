//! A reconcile that finds nothing to do makes no request to the API server, also right after a restart.

use std::time::Duration;

use serde_json::json;
use tokio::net::TcpStream;

use crate::audit::{Audit, comes_to_rest};
use crate::operator;
use crate::redis::{Redis, hubs};
use crate::support::{A_WHILE, Chat, Kind, Namespace, SOON};

/// A ready cluster for which the operator has nothing left to do or to report, with its Redis and the hubs'
/// subscriptions.
async fn settled<'a>(ns: &'a Namespace, name: &str) -> (Chat<'a>, Redis, Vec<TcpStream>) {
    let spec = json!({"redis": {"persistence": "None"}, "service": {"type": "ClusterIP"}});
    let chat = ns.chat(name, spec).await;
    hubs(&chat).await;
    let redis = Redis::of(&chat).await;
    let subscribers = redis.subscribe_all(&chat).await;
    chat.becomes("Ready", "True", "Ready", SOON).await;
    // Events may be delayed while other tests keep the operator busy, until it ends at the latest.
    chat.tells("Published", &[]).await;
    comes_to_rest(ns).await.unwrap_or_else(|requests| panic!("{requests}{}", ns.report()));
    (chat, redis, subscribers)
}

#[tokio::test]
async fn a_reconcile_with_nothing_to_do_makes_no_request() {
    let ns = operator::namespace("idle").await;
    let (lobby, _redis, _subscribers) = settled(&ns, "lobby").await;
    let before = reconciles_of(&lobby);
    let status = lobby.get().await.status;
    let audit = Audit::from_now();

    lobby.touch().await;

    ns.eventually(SOON, "the operator reconciles it", async || {
        if reconciles_of(&lobby) > before { Ok(()) } else { Err(format!("still {before} reconciles")) }
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    let requests = audit.requests(&ns).await;
    assert_eq!(lobby.get().await.status, status, "{requests:#?}");
    assert_eq!(requests, Vec::<String>::new());
}

/// The number of reconciles of this cluster, from the operator's log.
fn reconciles_of(chat: &Chat<'_>) -> usize {
    let log = std::fs::read_to_string(operator::log()).expect("the operator's log");
    log.lines().filter(|line| line.contains("reconciled") && line.contains(&chat.ns.name)).count()
}

#[tokio::test]
async fn a_restarted_operator_makes_no_request_for_a_settled_cluster_and_keeps_the_password() {
    let ns = operator::namespace("restart").await;
    let (lobby, _redis, _subscribers) = settled(&ns, "lobby").await;
    let password = lobby.password().await;
    let before = reconciles_of(&lobby);
    let status = lobby.get().await.status;
    let audit = Audit::from_now();

    operator::restart().await;

    ns.eventually(SOON * 3, "the new operator reconciles it", async || {
        if reconciles_of(&lobby) > before { Ok(()) } else { Err(format!("still {before} reconciles")) }
    })
    .await;
    tokio::time::sleep(A_WHILE).await;
    let requests = audit.requests(&ns).await;
    assert_eq!(lobby.get().await.status, status, "{requests:#?}");
    assert_eq!(requests, Vec::<String>::new());
    assert_eq!(lobby.password().await, password);
}

#[tokio::test]
async fn the_password_and_the_key_of_tokens_survive_secrets_that_lost_their_labels_and_a_restart() {
    let ns = operator::namespace("labels").await;
    let (lobby, _redis, _subscribers) = settled(&ns, "lobby").await;
    let secrets = ["-redis-auth", "-hub-token"].map(|suffix| lobby.child(Kind::Secret, suffix));
    let mut before = Vec::new();
    for secret in &secrets {
        before.push(secret.get().await);
    }
    let (password, key) = (lobby.password().await, lobby.token_key().await);
    let hubs = async || lobby.child(Kind::Deployment, "-hub").get().await["spec"]["template"].clone();
    let template = hubs().await;
    let are_back = async |bound: Duration| {
        for (secret, before) in secrets.iter().zip(&before) {
            ns.eventually(bound, &format!("{secret} has its labels again"), async || {
                let now = secret.seen().await?["metadata"]["labels"].clone();
                if now == before["metadata"]["labels"] { Ok(()) } else { Err(format!("{now}")) }
            })
            .await;
            let uid = before["metadata"]["uid"].as_str();
            assert_eq!(Some(secret.uid().await.as_str()), uid, "it is the same Secret");
        }
        assert_eq!(lobby.password().await, password, "the password changed");
        assert_eq!(lobby.token_key().await, key, "the key changed");
        assert_eq!(hubs().await, template, "the hubs were rolled");
    };

    for secret in &secrets {
        secret.merge(json!({"metadata": {"labels": null}})).await;
    }

    are_back(SOON).await;

    lobby.pause().await;
    for secret in &secrets {
        secret.merge(json!({"metadata": {"labels": null}})).await;
    }
    operator::restart().await; // its caches select by label, so they miss the Secrets
    lobby.set(json!({"paused": false})).await;

    are_back(SOON * 3).await;
}

#[tokio::test]
async fn an_operator_that_has_just_started_ends_when_asked_to() {
    let ns = operator::namespace("hasty").await;

    for milliseconds in [0, 30, 60, 90, 120, 150, 200] {
        operator::restart().await;
        tokio::time::sleep(Duration::from_millis(milliseconds)).await; // the operator is still starting
    }
    operator::restart().await;

    let lobby = ns.chat("lobby", json!({})).await;
    ns.wait_for(&lobby.child(Kind::Secret, "-redis-auth"), SOON).await;
}
