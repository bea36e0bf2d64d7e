//! Stateful reconnect (`HubProtocol.md`): a connection survives the loss of its WebSocket.

use serde_json::json;

use crate::support::socket::{Socket, frame, op, request, upgrade};
use crate::support::{Balancer, Client, Cluster, HubProcess, Kind, Way, until};

/// The number of times that the WebSocket is cut.
const CUTS: usize = 5;

/// The clients that support stateful reconnect.
pub(crate) fn ways() -> impl Iterator<Item = Way> {
    Way::ALL.into_iter().filter(|way| way.kind == Kind::Npm && way.more.contains(&"stateful"))
}

#[tokio::test]
async fn a_cut_websocket_neither_loses_nor_duplicates_messages() {
    for way in ways() {
        let cluster = Cluster::with_one_key(&[]).await;
        let balancer = Balancer::before(vec![cluster.hub_a.address()]).await;

        cut_again_and_again(way, &cluster, &balancer).await;
    }
}

#[tokio::test]
async fn a_connection_goes_on_at_its_hub_even_if_its_websocket_reaches_another() {
    for way in ways() {
        let cluster = Cluster::with_one_key(&[]).await;
        let balancer =
            Balancer::each_request_to_another(vec![cluster.hub_a.address(), cluster.hub_b.address()]).await;

        cut_again_and_again(way, &cluster, &balancer).await;
    }
}

async fn cut_again_and_again(way: Way, cluster: &Cluster, balancer: &Balancer) {
    let mut ada = Client::join(&cluster.hub_b.url(), "lobby", "Ada").await;
    let mut grace = Client::connect_by(way, &balancer.url()).await;
    let id = grace.event("welcome").await["connectionId"].clone();
    assert_eq!(grace.connection_id(), id, "{way}");
    grace.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();

    for cut in 0..CUTS {
        // Messages are sent both ways: before the cut, while nothing gets through, and afterwards.
        said(&mut ada, &mut grace, cut, "before").await;
        balancer.cut();
        said(&mut ada, &mut grace, cut, "meanwhile").await;
        balancer.open();
        said(&mut ada, &mut grace, cut, "after").await;
        // npm's client tries to resume once: with another cut it would begin a new connection.
        let through = ("Grace".to_owned(), format!("{cut} after"));
        while ada.hears().await != through {}
    }
    ada.invoke("Send", &json!(["lobby", "end"])).await.unwrap();

    let expected = |name: &str| {
        let texts =
            (0..CUTS).flat_map(|cut| ["before", "meanwhile", "after"].map(|when| format!("{cut} {when}")));
        texts.map(|text| (name.to_owned(), text)).collect::<Vec<_>>()
    };
    let heard = until_the_end(&mut grace).await;
    let by = |name: &str| heard.iter().filter(|said| said.0 == name).cloned().collect::<Vec<_>>();
    assert_eq!(by("Ada"), expected("Ada"), "{way}");
    // Grace's messages were sent without waiting for an answer, so they may come after the end.
    let mut all = heard.clone();
    while all.len() < 6 * CUTS {
        all.push(grace.hears().await);
    }
    let by = |name: &str| all.iter().filter(|said| said.0 == name).cloned().collect::<Vec<_>>();
    assert_eq!(by("Grace"), expected("Grace"), "{way}");
    let answer = grace.invoke("Who", &json!(["lobby"])).await.unwrap();
    assert_eq!(answer["count"], 2, "{way}: someone joined twice");
    assert!(!grace.has("message"), "{way}: a message came twice");
    assert!(!grace.has("reconnecting") && !grace.has("welcome") && !grace.has("closed"), "{way}");
    let note = json!([id, "note", 1, 2]);
    ada.invoke("SendToConnection", &note).await.unwrap();
    assert_eq!(grace.event("note").await, json!([1, 2]), "{way}: its id has changed");
    cluster.has_not_panicked();
}

/// Sends one message from each, and waits for the confirmation of Ada's.
async fn said(ada: &mut Client, grace: &mut Client, cut: usize, when: &str) {
    let text = format!("{cut} {when}");
    grace.send("Send", &json!(["lobby", text])).await;
    ada.invoke("Send", &json!(["lobby", text])).await.unwrap();
}

/// A client with stateful reconnect, in the lobby, with its token and its id.
pub(crate) async fn in_the_lobby(hub: &HubProcess) -> (Socket, String, String) {
    let path = "/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true";
    let answer = request(hub.address(), "POST", path, b"").await;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    assert_eq!(answer["useStatefulReconnect"], true);
    let token = answer["connectionToken"].as_str().expect("a negotiation has a token");
    let mut socket = Socket::upgraded(hub.address(), &format!("?id={token}")).await;
    socket.write(&frame(op::TEXT, b"{\"protocol\":\"json\",\"version\":2}\x1e")).await;
    let answer_alone = Some((op::TEXT, b"{}\x1e".to_vec()));
    assert_eq!(socket.frame().await, answer_alone, "the answer does not come alone");
    let join = "{\"type\":1,\"invocationId\":\"j\",\"target\":\"Join\",\"arguments\":[\"lobby\"]}\x1e";
    socket.write(&frame(op::TEXT, join.as_bytes())).await;
    let mut heard = String::new();
    while !heard.contains("\"invocationId\":\"j\"") {
        heard.push_str(&String::from_utf8_lossy(&socket.frame().await.expect("the hub answers").1));
    }
    let id = answer["connectionId"].as_str().expect("a negotiation has an id");
    (socket, token.to_owned(), id.to_owned())
}

/// Sends more messages than the hub buffers for a connection, until it has dropped the other client.
async fn flood(hub: &HubProcess) {
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let text = "x".repeat(30_000);
    // The kernel's buffers take some megabytes before the hub's own queue fills.
    for _ in 0..1_000 {
        ada.invoke("Send", &json!(["lobby", text])).await.expect("the message is stored");
        ada.hears().await;
        if hub.connections().await < 2.0 {
            return;
        }
    }
    until("the hub drops the client", async || (hub.connections().await < 2.0).then_some(())).await;
}

#[tokio::test]
async fn half_a_record_of_a_broken_websocket_is_discarded() {
    let hub = HubProcess::alone().await;
    let (mut socket, token, _) = in_the_lobby(&hub).await;
    let call = "{\"type\":1,\"invocationId\":\"2\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e";
    socket.write(&frame(op::TEXT, &call.as_bytes()[..20])).await;
    drop(socket);

    let mut socket = Socket::upgraded(hub.address(), &format!("?id={token}")).await;
    // The first message has arrived already and is skipped; the second has not.
    let again = format!("{{\"type\":9,\"sequenceId\":1}}\x1e{}{call}", call.replace("\"2\"", "\"1\""));
    socket.write(&frame(op::TEXT, again.as_bytes())).await;

    let mut heard = String::new();
    while !heard.contains("\"type\":3,\"invocationId\":\"2\"") {
        heard.push_str(&String::from_utf8_lossy(&socket.frame().await.expect("the hub goes on").1));
    }
    assert!(heard.starts_with("{\"type\":9,\"sequenceId\":1}\x1e"), "{heard}");
    assert!(!heard.contains("\"invocationId\":\"1\""), "{heard}");
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_connection_of_a_hub_that_was_killed_is_not_found() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let (_socket, token, _) = in_the_lobby(&cluster.hub_a).await;

    cluster.hub_a.kill().await;

    let mut socket = Socket::open(cluster.hub_b.address()).await;
    socket.write(upgrade(&format!("?id={token}")).as_bytes()).await;
    let head = socket.head().await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    cluster.hub_b.has_not_panicked();
}

#[tokio::test]
async fn a_client_that_acknowledges_nothing_is_dropped() {
    let hub = HubProcess::alone_with(&["--stateful-buffer-bytes", "1000"]).await;
    let (mut socket, _, _) = in_the_lobby(&hub).await;

    flood(&hub).await;

    let (said, _) = socket.farewell().await;
    assert!(String::from_utf8_lossy(&said).contains("You read too slowly"));
    assert!(socket.rest().await.is_empty(), "the socket is not closed");
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_dropped() {
    // The buffer holds everything: only the socket is full.
    let hub = HubProcess::alone_with(&["--stateful-buffer-bytes", "1000000000"]).await;
    let (mut socket, _, _) = in_the_lobby(&hub).await;

    flood(&hub).await;

    // The hub closes the socket instead of keeping it for ever.
    socket.rest().await;
    hub.has_not_panicked();
}

/// The messages that a client hears until someone says `end`, as sender and text.
pub(crate) async fn until_the_end(client: &mut Client) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    loop {
        match client.hears().await {
            (_, text) if text == "end" => return heard,
            said => heard.push(said),
        }
    }
}
