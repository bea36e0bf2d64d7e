//! The real client's calls to a single hub.

use serde_json::json;

use crate::support::{Client, HubProcess, until};

#[tokio::test]
async fn a_hub_without_redis_serves_alone_and_logs_it() {
    let hub = HubProcess::alone().await;
    assert_eq!(hub.get("/readyz").await.unwrap().0, 200);
    until("the hub logs it", async || hub.log().contains("serves alone, from memory").then_some(())).await;

    let mut ada = Client::connect(&hub.url()).await;
    let mut grace = Client::connect_without_negotiation(&hub.url()).await;

    let welcome = ada.event("welcome").await;
    assert_eq!(welcome["pod"], "hub-alone");
    assert_eq!(welcome["backplane"], "memory");
    assert_eq!(
        ada.invoke("Join", &json!(["lobby", "Ada"])).await,
        Ok(json!({
            "room": "lobby", "pod": "hub-alone", "members": 1, "pods": 1, "last": null, "gap": false, "history": []
        }))
    );
    assert_eq!(grace.invoke("Join", &json!(["lobby"])).await.unwrap()["members"], 2);
    ada.invoke("Send", &json!(["lobby", "hi"])).await.unwrap();
    assert_eq!(grace.hears().await, ("Ada".into(), "hi".into()));
    assert_eq!(ada.hears().await, ("Ada".into(), "hi".into()));
}

#[tokio::test]
async fn negotiation_and_hub_agree_on_the_connection_id() {
    let hub = HubProcess::alone().await;

    let mut client = Client::connect(&hub.url()).await;

    let id = client.connection_id().to_owned();
    assert_eq!(client.event("welcome").await["connectionId"], id);
}

#[tokio::test]
async fn a_message_carries_its_sender_its_pod_its_time_and_any_text() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "a:b ü", "Ada \"<b>").await;
    let text = "\u{1e} \0 \\ \" <script> 🦀 \u{2028}";

    ada.send("Send", &json!(["a:b ü", text])).await;

    let message = ada.event("message").await;
    assert_eq!(message["room"], "a:b ü");
    assert_eq!(message["from"], "Ada \"<b>");
    assert_eq!(message["text"], text);
    assert_eq!(message["pod"], "hub-alone");
    assert!(message["at"].as_u64().unwrap() > 1_700_000_000_000);
    assert!(!message["id"].as_str().unwrap().is_empty());
}

#[tokio::test]
async fn calls_that_fail_say_why_and_end_nothing() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let error = |text: &str| Err(text.to_owned());

    assert_eq!(ada.invoke("Shout", &json!(["lobby"])).await, error("Unknown hub method 'Shout'."));
    assert_eq!(
        ada.invoke("Send", &json!(["attic", "hi"])).await,
        error("You are not in the room 'attic'; join it first.")
    );
    assert_eq!(
        ada.invoke("Join", &json!([""])).await,
        error("The room is empty; it needs 1 to 64 characters.")
    );
    assert_eq!(
        ada.stream("Watch", &json!([])).await,
        error("'Watch' takes a room and perhaps options, but got 0 arguments.")
    );
    assert_eq!(
        ada.stream("Join", &json!(["lobby"])).await,
        error("'Join' does not answer with a stream; invoke it instead.")
    );
    assert_eq!(
        ada.invoke("Watch", &json!(["lobby"])).await,
        error("'Watch' needs a stream; see how your client begins one.")
    );
    ada.invoke("Send", &json!(["lobby", "still here"])).await.unwrap();
}

#[tokio::test]
async fn a_client_that_leaves_a_room_hears_no_more_of_it() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let mut grace = Client::join(&hub.url(), "lobby", "Grace").await;

    assert_eq!(grace.invoke("Leave", &json!(["lobby"])).await, Ok(json!(null)));
    ada.invoke("Send", &json!(["lobby", "secret"])).await.unwrap();
    ada.hears().await;

    // The message in her own room comes after it on the same connection.
    grace.invoke("Join", &json!(["attic", "Grace"])).await.unwrap();
    grace.invoke("Send", &json!(["attic", "own"])).await.unwrap();
    assert_eq!(grace.hears().await, ("Grace".into(), "own".into()));
}

#[tokio::test]
async fn a_client_that_stops_is_no_longer_a_member() {
    let hub = HubProcess::alone().await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;

    ada.stop().await;

    until("the hub has no connection", async || (hub.connections().await == 0.0).then_some(())).await;
    assert!((hub.metric("chatcluster_hub_rooms").await).abs() < f64::EPSILON);
}

#[tokio::test]
async fn a_message_that_is_too_large_closes_its_sender_with_a_reason() {
    let hub = HubProcess::alone().await;

    for size in [40_000, 500_000] {
        let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;

        ada.send("Send", &json!(["lobby", "x".repeat(size)])).await;

        let reason = ada.event("closed").await;
        assert!(reason.as_str().is_some_and(|r| r.contains("larger than 32768 bytes")), "{size}: {reason}");
    }
}

#[tokio::test]
async fn the_page_is_served_and_may_run_only_its_own_scripts() {
    let hub = HubProcess::alone().await;

    let (status, page) = hub.get("/?room=x").await.unwrap();

    assert_eq!(status, 200);
    assert!(page.contains("content-security-policy: default-src 'none'; script-src 'self'"), "{page}");
    let script = page.split_once("src=\"./").unwrap().1.split_once('"').unwrap().0;
    let (status, script) = hub.get(&format!("/{script}")).await.unwrap();
    assert_eq!(status, 200);
    assert!(script.contains("content-type: text/javascript"));
    assert!(!page.contains("http://") && !page.contains("https://"), "{page}");
}
