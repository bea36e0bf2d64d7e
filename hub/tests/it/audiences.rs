//! Calls of clients outside of rooms, across two hubs: broadcasts, groups, users and connections.

use serde_json::{Value, json};

use crate::support::{Client, Cluster, HubProcess, Redis, cluster, hub_command, token};

async fn two() -> (Cluster, Client, Client) {
    let cluster = Cluster::start().await;
    let (ada, grace) =
        (Client::connect(&cluster.hub_a.url()).await, Client::connect(&cluster.hub_b.url()).await);
    (cluster, ada, grace)
}

async fn calls(client: &mut Client, target: &str, arguments: Value) {
    assert_eq!(client.invoke(target, &arguments).await, Ok(json!(null)));
}

/// Makes a call that reaches everyone. As each client has received it, all earlier calls have arrived, too.
async fn end(speaker: &mut Client, listeners: [&mut Client; 2]) {
    calls(speaker, "Broadcast", json!(["draw", "end"])).await;
    for listener in listeners {
        assert_eq!(listener.event("draw").await, "end");
    }
}

#[tokio::test]
async fn a_broadcast_reaches_everyone_on_every_hub_or_everyone_but_its_caller() {
    let (_cluster, mut ada, mut grace) = two().await;

    calls(&mut ada, "Broadcast", json!(["draw", { "x": [1, 2] }])).await;
    assert_eq!(ada.event("draw").await, json!({ "x": [1, 2] }));
    assert_eq!(grace.event("draw").await, json!({ "x": [1, 2] }));

    calls(&mut ada, "BroadcastToOthers", json!(["draw", "not Ada"])).await;
    assert_eq!(grace.event("draw").await, "not Ada");
    calls(&mut ada, "Broadcast", json!(["draw", "end"])).await;
    assert_eq!(ada.event("draw").await, "end");
}

#[tokio::test]
async fn members_of_a_group_get_its_calls_until_they_leave_it() {
    let (cluster, mut ada, mut grace) = two().await;
    calls(&mut ada, "AddToGroup", json!(["g"])).await;
    calls(&mut grace, "AddToGroup", json!(["g"])).await;

    calls(&mut ada, "SendToGroup", json!(["g", "draw", 1])).await;
    assert_eq!((ada.event("draw").await, grace.event("draw").await), (json!(1), json!(1)));
    calls(&mut ada, "SendToOthersInGroup", json!(["g", "draw", 2])).await;
    assert_eq!(grace.event("draw").await, 2);
    calls(&mut grace, "RemoveFromGroup", json!(["g"])).await;
    calls(&mut ada, "SendToGroup", json!(["g", "draw", 3])).await;
    assert_eq!(ada.event("draw").await, 3);
    let mut late = Client::connect(&cluster.hub_a.url()).await;
    end(&mut late, [&mut ada, &mut grace]).await;
}

#[tokio::test]
async fn a_connection_gets_its_calls_on_whichever_hub_it_is() {
    let (_cluster, mut ada, mut grace) = two().await;
    let (adas, graces) = (ada.connection_id().to_owned(), grace.connection_id().to_owned());

    calls(&mut ada, "SendToConnection", json!([graces, "draw", "for Grace"])).await;
    assert_eq!(grace.event("draw").await, "for Grace");
    calls(&mut ada, "SendToConnection", json!([adas, "draw", "for Ada"])).await;
    assert_eq!(ada.event("draw").await, "for Ada");
    calls(&mut ada, "SendToConnection", json!(["nobody", "draw", "for nobody"])).await;
    calls(&mut grace, "Broadcast", json!(["draw", "end"])).await;
    assert_eq!((ada.event("draw").await, grace.event("draw").await), (json!("end"), json!("end")));
}

#[tokio::test]
async fn a_user_gets_its_calls_on_every_connection() {
    let redis = Redis::start(cluster::PASSWORD).await;
    let folder = crate::support::Folder::new();
    let key = folder.write("jwt", token::KEY);
    let cluster = Cluster::with(redis, &["--jwt-key-file", key.to_str().unwrap()]).await;
    let connect = async |hub: &HubProcess, user: &str| {
        let token = token::hs256(&json!({ "sub": user, "name": format!("{user}!") }));
        Client::connect(&format!("{}?access_token={token}", hub.url())).await
    };
    let (mut ada, mut ada_too) = (connect(&cluster.hub_a, "ada").await, connect(&cluster.hub_b, "ada").await);
    let mut grace = connect(&cluster.hub_b, "grace").await;

    calls(&mut grace, "Tell", json!(["ada", "hello"])).await;
    for client in [&mut ada, &mut ada_too] {
        let told = client.event("told").await;
        assert_eq!(
            (&told["from"], &told["user"], &told["text"]),
            (&json!("grace!"), &json!("grace"), &json!("hello"))
        );
        assert!(told["at"].as_u64().unwrap() > 1_700_000_000_000);
    }
    calls(&mut grace, "SendToUser", json!(["ada", "draw", 1])).await;
    assert_eq!((ada.event("draw").await, ada_too.event("draw").await), (json!(1), json!(1)));
    grace.invoke("Join", &json!(["lobby", "someone else"])).await.unwrap();
    grace.invoke("Send", &json!(["lobby", "me"])).await.unwrap();
    let message = grace.event("message").await;
    assert_eq!((&message["from"], &message["user"]), (&json!("grace!"), &json!("grace")));
    assert!(!grace.has("told") && !grace.has("draw"));
}

#[tokio::test]
async fn clients_cannot_forge_the_hubs_own_calls_and_the_generic_api_can_be_switched_off() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::connect(&hub.url()).await;
    let error = ada.invoke("Broadcast", &json!(["Message", { "from": "Grace" }])).await.unwrap_err();
    assert!(error.contains("Only the hub itself calls 'Message'"), "{error}");

    let hub = HubProcess::alone_with(&["--generic-api", "false"]).await;
    let mut ada = Client::connect(&hub.url()).await;
    let one = json!(["draw"]);
    for (method, arguments) in
        [("Broadcast", &one), ("AddToGroup", &one), ("InvokeConnection", &json!(["x", "draw"]))]
    {
        let error = ada.invoke(method, arguments).await.unwrap_err();
        assert!(error.contains(&format!("Unknown hub method '{method}'")), "{error}");
    }
    let help = hub_command(&["--help"]).output().await.unwrap();
    assert!(String::from_utf8_lossy(&help.stdout).contains("HUB_GENERIC_API"));
}

#[tokio::test]
async fn the_rooms_and_groups_of_a_connection_are_limited() {
    let hub = HubProcess::alone_with(&["--max-rooms-per-connection", "2"]).await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    calls(&mut ada, "AddToGroup", json!(["g"])).await;

    for (method, name) in [("AddToGroup", "h"), ("Join", "attic")] {
        let error = ada.invoke(method, &json!([name])).await.unwrap_err();
        assert!(error.contains("You are in 2 rooms already"), "{error}");
    }
    calls(&mut ada, "RemoveFromGroup", json!(["g"])).await;
    ada.invoke("Join", &json!(["attic"])).await.unwrap();
}
