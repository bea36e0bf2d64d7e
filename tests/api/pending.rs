//! The changes that the operator would make to a paused cluster, as `status.pending` lists them.

use chatcluster_api::{Pending, PendingAction, Restarts};
use serde_json::json;

use crate::operator;
use crate::support::{Chat, Kind, SOON};

async fn pending(lobby: &Chat<'_>, what: &str, wanted: impl Fn(&[Pending]) -> bool) -> Vec<Pending> {
    lobby
        .ns
        .eventually(SOON, &format!("pending: {what}"), async || {
            let chat = lobby.get().await;
            let status = chat.status.unwrap_or_default();
            let current = status.observed_generation == chat.metadata.generation;
            if current && wanted(&status.pending) {
                Ok(status.pending)
            } else {
                Err(format!("{:#?}", status.pending))
            }
        })
        .await
}

fn change_of<'a>(pending: &'a [Pending], child: &str) -> Option<&'a Pending> {
    pending.iter().find(|pending| pending.child == child)
}

#[tokio::test]
async fn a_paused_cluster_lists_what_would_change_and_which_pods_would_restart() {
    let ns = operator::namespace("pending").await;
    let spec = json!({"redis": {"persistence": "None"}, "service": {"publish": "Immediately"}});
    let lobby = ns.chat("lobby", spec).await;
    lobby.has_all_children().await;
    lobby.becomes("HubReady", "True", "Ready", SOON).await;
    lobby.pause().await;
    pending(&lobby, "nothing", <[Pending]>::is_empty).await;

    lobby.set(json!({"hub": {"replicas": 5}})).await;
    let scaled = pending(&lobby, "the hubs", |all| all.len() == 1).await;
    let hub = change_of(&scaled, "Deployment/lobby-hub").expect("the hubs");
    assert_eq!(
        (hub.action, hub.fields.as_slice()),
        (PendingAction::Update, &["spec.replicas".to_owned()][..])
    );
    assert_eq!(hub.restarts, None, "more replicas restart no pod");

    lobby
        .set(json!({"hub": {"env": [{"name": "NEW", "value": "1"}]}, "networkPolicy": {"enabled": false}}))
        .await;
    lobby.child(Kind::ConfigMap, "-redis-config").delete().await;
    let all = pending(&lobby, "four children", |all| all.len() == 4).await;
    let hub = change_of(&all, "Deployment/lobby-hub").expect("the hubs");
    assert_eq!(hub.restarts, Some(Restarts::Hub));
    assert!(hub.fields.iter().any(|field| field.ends_with("env[NEW]")), "{hub:?}");
    let config = change_of(&all, "ConfigMap/lobby-redis-config").expect("the configuration");
    assert_eq!(config.action, PendingAction::Create);
    let policy = change_of(&all, "NetworkPolicy/lobby-redis").expect("the policy");
    assert_eq!(policy.action, PendingAction::Delete);

    lobby.set(json!({"paused": false})).await;

    pending(&lobby, "nothing is held back", <[Pending]>::is_empty).await;
    let hub = lobby.child(Kind::Deployment, "-hub").get().await;
    assert_eq!(hub["spec"]["replicas"], 5);
}
