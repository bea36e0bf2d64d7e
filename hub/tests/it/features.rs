//! The protocol's features beside messages: results, errors, streams both ways, client results, and a close
//! that allows a reconnect. Each client is tested with the features that it supports.

use std::time::Duration;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::support::{Balancer, Client, Cluster, HubProcess, Kind, RawClient, Way, until};

/// The ways to connect that `supports` accepts: each client with each of its transports and protocols.
fn ways(supports: impl Fn(Way) -> bool) -> impl Iterator<Item = Way> {
    Way::ALL.into_iter().filter(move |way| supports(*way))
}

fn any(_: Way) -> bool {
    true
}

/// True for clients that return results, and that wait for the answer to a stream. Python's does neither.
fn answers(way: Way) -> bool {
    way.kind != Kind::Python
}

/// True for clients that keep the order of a stream. Java's client sends several requests at once when it
/// polls, so an item of a stream may overtake another, or its call.
fn in_order(way: Way) -> bool {
    way.kind != Kind::Java || way.transport != "LongPolling"
}

#[tokio::test]
async fn a_call_returns_its_result_or_its_error() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;

    for way in ways(any) {
        let mut client = Client::connect_by(way, &hub.url()).await;
        assert_eq!(client.event("welcome").await["pod"], "hub-alone", "{way}");

        let joined = client.invoke("Join", &json!(["lobby", null])).await.unwrap();
        assert_eq!(joined["room"], "lobby", "{way}");
        let error = client.invoke("Shout", &json!(["lobby"])).await.unwrap_err();
        assert!(error.contains("Unknown hub method 'Shout'"), "{way}: {error}");
        let error = client.invoke("Join", &json!([{ "room": 1 }])).await.unwrap_err();
        assert!(error.contains("must be a string"), "{way}: {error}");
        assert_eq!(client.invoke("Leave", &json!(["lobby"])).await, Ok(Value::Null), "{way}");
    }
}

#[tokio::test]
async fn a_stream_delivers_messages_until_it_is_cancelled() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;
    let mut ada = Client::connect(&hub.url()).await;

    for (n, way) in ways(any).enumerate() {
        let room = format!("room {n}");
        ada.invoke("Join", &json!([room, "Ada"])).await.unwrap();
        let mut client = Client::connect_by(way, &hub.url()).await;

        let stream = client.begin_stream("Watch", &json!([room])).await;
        members(&mut ada, &room, 2).await;
        for text in ["one", "two"] {
            ada.invoke("Send", &json!([room, text])).await.unwrap();
            let item = client.item(stream).await;
            assert_eq!((&item["text"], &item["from"]), (&json!(text), &json!("Ada")), "{way}");
        }
        client.cancel(stream).await;

        members(&mut ada, &room, 1).await;
        ada.invoke("Send", &json!([room, "unheard"])).await.unwrap();
        assert!(client.invoke("Join", &json!(["elsewhere"])).await.is_ok(), "{way} does not go on");
        assert!(!client.has("item") && !client.has("message"), "{way} still hears the room");
    }
}

#[tokio::test]
async fn a_stream_that_cannot_begin_says_why() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;

    for way in ways(any) {
        let mut client = Client::connect_by(way, &hub.url()).await;

        let error = client.stream("Watch", &json!([""])).await.unwrap_err();
        assert!(error.contains("The room is empty"), "{way}: {error}");
        let error = client.stream("Shout", &json!([])).await.unwrap_err();
        assert!(error.contains("'Shout'"), "{way}: {error}");
        assert!(client.invoke("Join", &json!(["lobby"])).await.is_ok(), "{way} does not go on");
    }
}

#[tokio::test]
async fn a_client_may_send_a_stream() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;

    // Streams that Python's client sends in MessagePack cannot be read by others.
    for way in ways(|way| (answers(way) || way.protocol == "json") && in_order(way)) {
        let mut client = Client::connect_by(way, &hub.url()).await;
        client.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();
        let texts = json!(["one", "", "three 🦀"]);

        let stored = client.upload("SendMany", &json!(["lobby"]), &texts).await;

        // Python's client requests no answer.
        assert_eq!(stored, Ok(if answers(way) { json!({ "stored": 3 }) } else { Value::Null }), "{way}");
        for text in ["one", "", "three 🦀"] {
            assert_eq!(ada.hears().await, ("Grace".into(), text.into()), "{way}");
        }
    }
}

#[tokio::test]
async fn a_stream_of_a_client_ends_at_the_first_item_that_is_refused() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;

    for way in ways(|way| answers(way) && in_order(way)) {
        let mut client = Client::connect_by(way, &hub.url()).await;
        let error = client.upload("SendMany", &json!(["lobby"]), &json!(["unheard"])).await.unwrap_err();
        assert!(error.contains("join it first"), "{way}: {error}");

        client.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();
        for wrong in [json!(5), json!(null), json!({ "text": "x" })] {
            let items = json!(["heard", wrong, "unheard"]);
            let error = client.upload("SendMany", &json!(["lobby"]), &items).await.unwrap_err();
            assert!(error.contains("must be a string"), "{way}: {error}");
            assert_eq!(ada.hears().await, ("Grace".into(), "heard".into()), "{way}");
        }
        assert_eq!(client.invoke("Leave", &json!(["lobby"])).await, Ok(Value::Null), "{way}");
    }
}

#[tokio::test]
async fn clients_return_results_to_each_other_across_hubs() {
    let cluster = Cluster::with_one_key(&["--keep-alive", "1"]).await;
    let value = json!({ "ü": [null, 1, "🦀"] });

    for caller in ["json", "messagepack"].map(|protocol| Way::new(Kind::Npm, "WebSockets", protocol)) {
        let mut caller = Client::connect_by(caller, &cluster.hub_a.url()).await;
        for way in ways(answers) {
            let mut client = Client::connect_by(way, &cluster.hub_b.url()).await;
            let id = client.event("welcome").await["connectionId"].clone();

            let echoed = caller.invoke("InvokeConnection", &json!([id, "echo", value, null])).await;
            assert_eq!(echoed, Ok(json!([value, null])), "{way} is called");
            let error = caller.invoke("InvokeConnection", &json!([id, "fail"])).await.unwrap_err();
            assert!(error.contains("not today"), "{way}: {error}");

            let own = caller.connection_id();
            let echoed = client.invoke("InvokeConnection", &json!([own, "echo", value, null])).await;
            assert_eq!(echoed, Ok(json!([value, null])), "{way} calls");
            let echoed = client.invoke("InvokeConnection", &json!([id, "echo", value, null])).await;
            assert_eq!(echoed, Ok(json!([value, null])), "{way} calls itself");
        }
    }
    assert!(cluster.hub_a.metric("chatcluster_hub_client_results_total").await > 0.0);
    assert!(cluster.hub_a.metric("chatcluster_hub_client_results_failed_total").await > 0.0);
}

/// A bare client that does only what the test tells it, and its connection id.
async fn raw(hub: &HubProcess) -> (RawClient, String) {
    let mut client = RawClient::open(hub.address()).await;
    client.write("{\"protocol\":\"json\",\"version\":1}\x1e").await;
    assert_eq!(client.record().await, "{}");
    let welcome: Value = serde_json::from_str(&client.record().await).expect("a record is JSON");
    let id = welcome["arguments"][0]["connectionId"].as_str().expect("the welcome has an id").to_owned();
    (client, id)
}

#[tokio::test]
async fn a_call_of_a_client_that_does_not_answer_fails() {
    let cluster = Cluster::with_one_key(&["--client-result-timeout", "5"]).await;
    let alone = HubProcess::alone_with(&["--client-result-timeout", "5"]).await;

    for (asks, has) in [(&cluster.hub_a, &cluster.hub_b), (&cluster.hub_a, &cluster.hub_a), (&alone, &alone)]
    {
        let mut caller = Client::connect(&asks.url()).await;
        let error = caller.invoke("InvokeConnection", &json!(["nobody", "echo"])).await.unwrap_err();
        assert!(error.contains("There is no connection 'nobody'"), "{error}");

        let (_silent, id) = raw(has).await;
        let error = caller.invoke("InvokeConnection", &json!([id, "ask"])).await.unwrap_err();
        assert!(error.contains("did not answer within 5 s"), "{error}");

        let (mut leaves, id) = raw(has).await;
        let call = json!([id, "ask"]);
        let (answer, asked) = tokio::join!(caller.invoke("InvokeConnection", &call), async {
            let asked = leaves.record().await;
            drop(leaves);
            asked
        });
        assert!(asked.contains("\"invocationId\""), "{asked}");
        let error = answer.unwrap_err();
        assert!(error.contains("left before it answered"), "{error}");
    }
}

#[tokio::test]
async fn a_pending_call_of_a_client_fails_when_the_callers_hub_ends() {
    let mut hub = HubProcess::alone().await;
    let ((mut asks, _), (mut silent, id)) = (raw(&hub).await, raw(&hub).await);
    let call =
        json!({ "type": 1, "invocationId": "w", "target": "InvokeConnection", "arguments": [id, "ask"] });
    asks.write(&format!("{call}\x1e")).await;
    assert!(silent.record().await.contains("\"target\":\"ask\""));

    hub.terminate().await;

    let (records, _) = asks.rest().await;
    let [answer, close] = &records[..] else { panic!("{records:?}") };
    assert!(answer.contains("\"invocationId\":\"w\",\"error\":"), "{answer}");
    assert_eq!(close, "{\"type\":7,\"allowReconnect\":true}");
    assert!(hub.ended().await.success());
}

#[tokio::test]
async fn a_pending_call_of_a_client_fails_at_once_when_the_clients_hub_is_killed() {
    // The timeout is longer than a test may take, and would give another error.
    let mut cluster = Cluster::with_one_key(&["--client-result-timeout", "600"]).await;
    let mut caller = Client::connect(&cluster.hub_b.url()).await;
    until("the hubs know of each other", async || {
        let (_, metrics) = cluster.hub_b.get("/metrics").await.expect("the hub answers");
        metrics.contains("canary_age_seconds{peer=\"hub-a\"}").then_some(())
    })
    .await;
    let (mut other, echoes) =
        (Client::connect(&cluster.hub_b.url()).await, Client::connect(&cluster.hub_a.url()).await);
    let (mut asked, id) = raw(&cluster.hub_a).await;
    let call = json!([id, "ask"]);

    let (answer, ()) = tokio::join!(caller.invoke("InvokeConnection", &call), async {
        let asked = asked.record().await;
        assert!(asked.contains("\"target\":\"ask\""), "{asked}");
        // A hub's answers to calls come in order: after this one, it has confirmed the pending call.
        let answer = other.invoke("InvokeConnection", &json!([echoes.connection_id(), "echo", 1])).await;
        assert_eq!(answer, Ok(json!([1])));
        cluster.hub_a.kill().await;
    });

    let error = answer.unwrap_err();
    assert!(error.contains("The hub that serves the client ended"), "{error}");
    cluster.hub_b.has_not_panicked();
}

#[tokio::test]
async fn only_the_called_client_can_answer_and_only_once() {
    let hub = HubProcess::alone().await;
    let mut caller = Client::connect(&hub.url()).await;
    let ((mut asked, id), (mut stranger, _)) = (raw(&hub).await, raw(&hub).await);
    let call = json!([id, "ask", 1]);

    let (answer, ()) = tokio::join!(caller.invoke("InvokeConnection", &call), async {
        let call: Value = serde_json::from_str(&asked.record().await).expect("a record is JSON");
        let id = call["invocationId"].as_str().expect("the call wants an answer");
        let gives =
            |result: &str| format!("{{\"type\":3,\"invocationId\":\"{id}\",\"result\":\"{result}\"}}\x1e");
        // Once the stranger's next call is answered, the hub has processed its completion.
        stranger.write(&gives("not asked")).await;
        stranger.write("{\"type\":1,\"invocationId\":\"n\",\"target\":\"X\",\"arguments\":[]}\x1e").await;
        assert!(stranger.record().await.contains("\"invocationId\":\"n\""));
        asked.write(&gives("asked")).await;
        asked.write(&gives("asked again")).await;
        asked.write("{\"type\":1,\"invocationId\":\"n\",\"target\":\"X\",\"arguments\":[]}\x1e").await;
        assert!(asked.record().await.contains("\"invocationId\":\"n\""), "the connection does not go on");
    });

    assert_eq!(answer, Ok(json!("asked")));
    let error = caller.invoke("InvokeConnection", &json!([id, "Message", {}])).await.unwrap_err();
    assert!(error.contains("Only the hub itself calls 'Message'"), "{error}");
    hub.has_not_panicked();
}

#[tokio::test]
async fn clients_of_a_hub_that_ends_reconnect_to_the_other_one() {
    for way in ways(|way| way.kind == Kind::Npm && !way.more.contains(&"stateful")) {
        let mut cluster = Cluster::with_one_key(&[]).await;
        let balancer = Balancer::before(vec![cluster.hub_a.address(), cluster.hub_b.address()]).await;
        let mut client = Client::connect_by(way, &balancer.url()).await;
        assert_eq!(client.event("welcome").await["pod"], "hub-a", "{way}");

        cluster.hub_a.terminate().await;

        assert_eq!(client.event("reconnecting").await, Value::Null, "{way}: the close has an error");
        client.event("reconnected").await;
        assert_eq!(client.event("welcome").await["pod"], "hub-b", "{way}");
        assert!(cluster.hub_a.ended().await.success());
    }
}

#[tokio::test]
async fn a_hub_that_ends_closes_clients_that_do_not_reconnect() {
    for way in ways(|way| way.kind != Kind::Npm) {
        let mut hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;
        let mut client = Client::connect_by(way, &hub.url()).await;

        hub.terminate().await;

        client.event("closed").await;
        assert!(hub.ended().await.success(), "{way}");
    }
}

#[tokio::test]
async fn a_client_that_stops_is_gone_at_once() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1"]).await;

    for way in ways(any) {
        let mut client = Client::connect_by(way, &hub.url()).await;
        client.invoke("Join", &json!(["lobby"])).await.unwrap();

        client.stop().await;

        until(&format!("{way} is gone"), async || (hub.connections().await == 0.0).then_some(())).await;
    }
}

#[tokio::test]
async fn a_client_that_sends_nothing_is_not_taken_for_gone() {
    let hub = HubProcess::alone_with(&["--keep-alive", "1", "--client-timeout", "10"]).await;
    let url = hub.url();
    let connect =
        |transport| Client::connect_by(Way::new(Kind::Npm, transport, "json").with(&["impatient"]), &url);
    let mut clients = join_all(["WebSockets", "ServerSentEvents", "LongPolling"].map(connect)).await;

    // This is longer than either side waits for a sign of life.
    tokio::time::sleep(Duration::from_secs(15)).await;

    for client in &mut clients {
        assert!(client.invoke("Join", &json!(["lobby"])).await.is_ok(), "{}", client.way());
        assert!(!client.has("reconnecting") && !client.has("closed"), "{}", client.way());
    }
}

/// Waits until the room has this number of members.
async fn members(client: &mut Client, room: &str, count: u64) {
    until(&format!("{count} are in {room}"), async || {
        let members = client.invoke("Who", &json!([room])).await.expect("the client is in the room");
        (members["count"] == count).then_some(())
    })
    .await;
}
