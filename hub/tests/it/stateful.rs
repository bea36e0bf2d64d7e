//! Stateful reconnect (`HubProtocol.md`): a connection outlives its WebSocket.

use std::cell::Cell;

use serde_json::json;

use crate::support::cluster::{PASSWORD, TOKEN_KEY};
use crate::support::socket::{Socket, frame, op, request, upgrade};
use crate::support::{Balancer, Client, Cluster, Folder, HubProcess, Kind, Way, token, until};

/// How often the WebSocket is cut.
const CUTS: usize = 5;

fn ways() -> impl Iterator<Item = Way> {
    Way::ALL.into_iter().filter(|way| way.kind == Kind::Npm && way.more.contains(&"stateful"))
}

#[tokio::test]
async fn a_cut_websocket_loses_and_doubles_nothing() {
    for way in ways() {
        let cluster = Cluster::with_one_key(&[]).await;
        let balancer = Balancer::before(vec![cluster.a.address()]).await;

        cut_again_and_again(way, &cluster, &balancer).await;
    }
}

#[tokio::test]
async fn a_connection_goes_on_at_its_hub_wherever_its_websocket_comes_in() {
    for way in ways() {
        let cluster = Cluster::with_one_key(&[]).await;
        let balancer =
            Balancer::each_request_to_another(vec![cluster.a.address(), cluster.b.address()]).await;

        cut_again_and_again(way, &cluster, &balancer).await;
    }
}

async fn cut_again_and_again(way: Way, cluster: &Cluster, balancer: &Balancer) {
    let mut ada = Client::join(&cluster.b.url(), "lobby", "Ada").await;
    let mut grace = Client::connect_by(way, &balancer.url()).await;
    let id = grace.event("welcome").await["connectionId"].clone();
    assert_eq!(grace.connection_id(), id, "{way}");
    grace.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();

    for cut in 0..CUTS {
        // Some before, some while nothing gets through, some after; both ways.
        said(&mut ada, &mut grace, cut, "before").await;
        balancer.cut();
        said(&mut ada, &mut grace, cut, "meanwhile").await;
        balancer.open();
        said(&mut ada, &mut grace, cut, "after").await;
        // npm's client tries once: another cut would make it begin a new connection.
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
    let of = |name: &str| heard.iter().filter(|said| said.0 == name).cloned().collect::<Vec<_>>();
    assert_eq!(of("Ada"), expected("Ada"), "{way}");
    // What Grace said was only put in her client's hands: it may come after the end.
    let mut all = heard.clone();
    while all.len() < 6 * CUTS {
        all.push(grace.hears().await);
    }
    let of = |name: &str| all.iter().filter(|said| said.0 == name).cloned().collect::<Vec<_>>();
    assert_eq!(of("Grace"), expected("Grace"), "{way}");
    let answer = grace.invoke("Who", &json!(["lobby"])).await.unwrap();
    assert_eq!(answer["count"], 2, "{way}: nobody came twice");
    assert!(!grace.has("message"), "{way}: nothing is doubled");
    assert!(!grace.has("reconnecting") && !grace.has("welcome") && !grace.has("closed"), "{way}");
    let note = json!([id, "note", 1, 2]);
    ada.invoke("SendToConnection", &note).await.unwrap();
    assert_eq!(grace.event("note").await, json!([1, 2]), "{way}: its id is the same");
    cluster.a.has_not_panicked();
    cluster.b.has_not_panicked();
}

#[tokio::test]
async fn a_hub_that_ends_hands_its_connections_over_and_their_clients_notice_nothing() {
    for way in ways() {
        let mut cluster = Cluster::with_one_key(&[]).await;
        let mut third = one_more(&cluster, &[]).await;
        let hubs = vec![cluster.a.address(), cluster.b.address(), third.address()];
        let balancer = Balancer::before(hubs).await;
        let mut ada = Client::join(&third.url(), "lobby", "Ada").await;
        let mut grace = Client::connect_by(way, &balancer.url()).await;
        let welcome = grace.event("welcome").await;
        assert_eq!(welcome["pod"], "hub-a", "{way}");
        let id = welcome["connectionId"].clone();
        grace.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();
        grace.invoke("AddToGroup", &json!(["g"])).await.unwrap();

        // From the first hub to the second, and from there to the third: its client knows the first one's token alone.
        let mut said = 0;
        for hub in [&mut cluster.a, &mut cluster.b] {
            said += while_it_ends(hub, async |n| {
                let text = json!(["lobby", (said + n).to_string()]);
                grace.send("Send", &text).await;
                ada.invoke("Send", &text).await.expect("it is stored");
            })
            .await;
            // The next hub serves it before that ends, too.
            assert_eq!(grace.invoke("Typing", &json!(["lobby"])).await, Ok(json!(null)), "{way}");
        }

        // What was said to both, to its group, to itself; what it asks and is asked; and its WebSocket may still break.
        balancer.cut();
        balancer.open();
        let answer = grace.invoke("Who", &json!(["lobby"])).await.unwrap();
        assert_eq!(answer["count"], 2, "{way}");
        ada.invoke("SendToGroup", &json!(["g", "draw", "for the group"])).await.unwrap();
        assert_eq!(grace.event("draw").await, "for the group", "{way}");
        let echoed = ada.invoke("InvokeConnection", &json!([id, "echo", 1, 2])).await;
        assert_eq!(echoed, Ok(json!([1, 2])), "{way}: its id is the same");
        ada.invoke("Send", &json!(["lobby", "end"])).await.unwrap();
        let expected = |name: &str| (0..said).map(|n| (name.to_owned(), n.to_string())).collect::<Vec<_>>();
        for (client, name) in [(&mut ada, "Ada"), (&mut grace, "Grace")] {
            let heard = until_the_end(client).await;
            for speaker in ["Ada", "Grace"] {
                let of: Vec<_> = heard.iter().filter(|said| said.0 == speaker).cloned().collect();
                assert_eq!(of, expected(speaker), "{way}: {name} hears {speaker}");
            }
        }
        for event in ["reconnecting", "reconnected", "welcome", "closed", "gap", "message"] {
            assert!(!grace.has(event), "{way}: {event}");
        }
        assert!(third.metric("chatcluster_hub_moved_here_total").await >= 1.0, "{way}");
        third.has_not_panicked();
        third.terminate().await;
        assert!(third.ended().await.success());
    }
}

#[tokio::test]
async fn a_hub_that_ends_loses_and_doubles_nothing_that_is_said_outside_of_rooms() {
    for way in ways() {
        let folder = Folder::new();
        let key = folder.write("jwt", token::KEY);
        let jwt = ["--jwt-key-file", key.to_str().expect("the path is UTF-8")];
        let mut cluster = Cluster::with_one_key(&jwt).await;
        let mut third = one_more(&cluster, &jwt).await;
        let hubs = vec![cluster.a.address(), cluster.b.address(), third.address()];
        let balancer = Balancer::before(hubs).await;
        let url =
            |url: &str, user: &str| format!("{url}?access_token={}", token::hs256(&json!({ "sub": user })));
        let mut ada = Client::connect(&url(&third.url(), "ada")).await;
        let mut grace = Client::connect_by(way, &url(&balancer.url(), "grace")).await;
        let id = grace.connection_id().to_owned();
        grace.invoke("AddToGroup", &json!(["g"])).await.unwrap();

        let mut said = 0;
        for hub in [&mut cluster.a, &mut cluster.b] {
            said += while_it_ends(hub, async |n| {
                let n = said + n;
                let (method, arguments) = match n % 4 {
                    0 => ("SendToGroup", json!(["g", "draw", n])),
                    1 => ("SendToUser", json!(["grace", "draw", n])),
                    2 => ("SendToConnection", json!([id, "draw", n])),
                    _ => ("BroadcastToOthers", json!(["draw", n])),
                };
                ada.invoke(method, &arguments).await.expect("it is published");
            })
            .await;
        }

        ada.invoke("SendToUser", &json!(["grace", "draw", "end"])).await.unwrap();
        for n in 0..said {
            assert_eq!(grace.event("draw").await, n, "{way}");
        }
        assert_eq!(grace.event("draw").await, "end", "{way}");
        for event in ["reconnecting", "reconnected", "closed"] {
            assert!(!grace.has(event), "{way}: {event}");
        }
        assert_eq!(grace.connection_id(), id, "{way}");
        third.has_not_panicked();
        third.terminate().await;
        assert!(third.ended().await.success());
    }
}

#[tokio::test]
async fn the_others_in_a_room_see_a_client_change_its_hub_and_nobody_leave() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let third = one_more(&cluster, &[]).await;
    let balancer = Balancer::before(vec![cluster.a.address(), cluster.b.address()]).await;
    let way = ways().next().expect("a way with stateful reconnect");
    let join = async |mut client: Client, name: &str| {
        let options = json!(["lobby", name, { "presence": true }]);
        client.invoke("Join", &options).await.expect("the client joins");
        client
    };
    let grace = join(Client::connect_by(way, &balancer.url()).await, "Grace").await;
    let ada = join(Client::connect(&cluster.b.url()).await, "Ada").await;
    let edsger = join(Client::connect(&third.url()).await, "Edsger").await;
    let mut all = [grace, ada, edsger];
    for client in &mut all {
        while client.event("presence").await["count"] != 3 {}
    }

    cluster.a.terminate().await;
    assert!(cluster.a.ended().await.success());

    let person = |name: &str, pod: &str| json!([{ "name": name, "pod": pod }]);
    for client in &mut all[1..] {
        loop {
            let told = client.event("presence").await;
            assert_eq!(told["count"], 3, "{told}");
            if told["joined"] != json!([]) || told["left"] != json!([]) {
                assert_eq!(told["joined"], person("Grace", "hub-b"), "{told}");
                assert_eq!(told["left"], person("Grace", "hub-a"), "{told}");
                break;
            }
        }
        let who = client.invoke("Who", &json!(["lobby"])).await.unwrap();
        assert_eq!((&who["count"], &who["pods"]), (&json!(3), &json!(2)));
    }
    let _last = join(Client::connect(&third.url()).await, "Last").await;
    for client in &mut all[1..] {
        let told = loop {
            let told = client.event("presence").await;
            if told["joined"] != json!([]) || told["left"] != json!([]) {
                break told;
            }
        };
        assert_eq!((&told["count"], &told["joined"]), (&json!(4), &person("Last", "hub-c")), "{told}");
    }
    cluster.b.has_not_panicked();
}

/// A third hub, with the key of the others.
async fn one_more(cluster: &Cluster, more: &[&str]) -> HubProcess {
    let password = cluster.folder.write("password of the third", PASSWORD);
    let key = cluster.folder.write("key", &TOKEN_KEY.repeat(16));
    let key = ["--token-key-file", key.to_str().expect("the path is UTF-8")];
    let hub = HubProcess::start_with(&cluster.redis, &password, "hub-c", &[&key, more].concat()).await;
    hub.ready().await;
    hub
}

/// Says numbers from 0 on, one after another, while the hub lets its clients go and ends; how many.
async fn while_it_ends(hub: &mut HubProcess, mut say: impl AsyncFnMut(u32)) -> u32 {
    let has_ended = Cell::new(false);
    let speak = async {
        let mut count = 0;
        // Some more, once it has ended.
        let mut more = 10;
        while more > 0 {
            say(count).await;
            count += 1;
            more -= u32::from(has_ended.get());
        }
        count
    };
    let end = async {
        hub.terminate().await;
        assert!(hub.ended().await.success());
        hub.has_not_panicked();
        has_ended.set(true);
    };
    tokio::join!(speak, end).0
}

/// One message from each, Ada's confirmed.
async fn said(ada: &mut Client, grace: &mut Client, cut: usize, when: &str) {
    let text = format!("{cut} {when}");
    grace.send("Send", &json!(["lobby", text])).await;
    ada.invoke("Send", &json!(["lobby", text])).await.unwrap();
}

/// A client that asked for stateful reconnect, in the lobby, its token, and its id.
async fn in_the_lobby(hub: &HubProcess) -> (Socket, String, String) {
    let path = "/hub/negotiate?negotiateVersion=1&useStatefulReconnect=true";
    let answer = request(hub.address(), "POST", path, b"").await;
    let answer: serde_json::Value = serde_json::from_slice(&answer.body).expect("an answer is JSON");
    assert_eq!(answer["useStatefulReconnect"], true);
    let token = answer["connectionToken"].as_str().expect("it has a token");
    let mut socket = Socket::upgraded(hub.address(), &format!("?id={token}")).await;
    socket.write(&frame(op::TEXT, b"{\"protocol\":\"json\",\"version\":2}\x1e")).await;
    assert_eq!(socket.frame().await, Some((op::TEXT, b"{}\x1e".to_vec())), "the answer comes alone");
    let join = "{\"type\":1,\"invocationId\":\"j\",\"target\":\"Join\",\"arguments\":[\"lobby\"]}\x1e";
    socket.write(&frame(op::TEXT, join.as_bytes())).await;
    let mut heard = String::new();
    while !heard.contains("\"invocationId\":\"j\"") {
        heard.push_str(&String::from_utf8_lossy(&socket.frame().await.expect("the hub answers").1));
    }
    let id = answer["connectionId"].as_str().expect("it has an id");
    (socket, token.to_owned(), id.to_owned())
}

/// More than the hub keeps for anyone.
async fn flood(hub: &HubProcess) {
    let mut ada = Client::join(&hub.url(), "lobby", "Ada").await;
    let text = "x".repeat(30_000);
    // The kernel's buffers take some megabytes before the hub's own queue fills.
    for _ in 0..1_000 {
        ada.invoke("Send", &json!(["lobby", text])).await.expect("nobody is slowed");
        ada.hears().await;
        if hub.metric("chatcluster_hub_connections").await < 2.0 {
            return;
        }
    }
    until("the hub lets it go", async || {
        (hub.metric("chatcluster_hub_connections").await < 2.0).then_some(())
    })
    .await;
}

#[tokio::test]
async fn half_a_record_of_a_broken_websocket_is_forgotten() {
    let hub = HubProcess::alone().await;
    let (mut socket, token, _) = in_the_lobby(&hub).await;
    let call = "{\"type\":1,\"invocationId\":\"2\",\"target\":\"Leave\",\"arguments\":[\"lobby\"]}\x1e";
    socket.write(&frame(op::TEXT, &call.as_bytes()[..20])).await;
    drop(socket);

    let mut socket = Socket::upgraded(hub.address(), &format!("?id={token}")).await;
    // The first message, which has arrived and is passed over, and the second, which has not.
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
async fn what_a_client_was_asked_it_may_answer_at_the_next_hub() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let mut ada = Client::connect(&cluster.b.url()).await;
    let (mut socket, token, id) = in_the_lobby(&cluster.a).await;
    let call = json!([id, "ask"]);

    let (answer, socket) = tokio::join!(ada.invoke("InvokeConnection", &call), async {
        let (_, asked) = socket.frame().await.expect("it is asked");
        let asked: serde_json::Value =
            serde_json::from_slice(asked.strip_suffix(b"\x1e").expect("it is one record"))
                .expect("it is JSON");
        cluster.a.terminate().await;
        let (said, _) = socket.farewell().await;
        assert!(said.is_empty(), "cut without a word: {}", String::from_utf8_lossy(&said));

        let mut socket = Socket::upgraded(cluster.b.address(), &format!("?id={token}")).await;
        let completion = json!({ "type": 3, "invocationId": asked["invocationId"], "result": "here" });
        let again = format!("{{\"type\":9,\"sequenceId\":2}}\x1e{completion}\x1e");
        socket.write(&frame(op::TEXT, again.as_bytes())).await;
        assert!(cluster.a.ended().await.success());
        socket
    });

    assert_eq!(answer, Ok(json!("here")));
    drop(socket);
    cluster.b.has_not_panicked();
}

#[tokio::test]
async fn a_connection_of_a_hub_that_was_killed_is_nowhere() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let (_socket, token, _) = in_the_lobby(&cluster.a).await;

    cluster.a.kill().await;

    let mut socket = Socket::open(cluster.b.address()).await;
    socket.write(upgrade(&format!("?id={token}")).as_bytes()).await;
    let head = socket.head().await;
    assert!(head.starts_with("HTTP/1.1 404 "), "{head}");
    cluster.b.has_not_panicked();
}

#[tokio::test]
async fn a_client_that_confirms_nothing_is_let_go() {
    let hub = HubProcess::alone_with(&["--stateful-buffer-bytes", "1000"]).await;
    let (mut socket, _, _) = in_the_lobby(&hub).await;

    flood(&hub).await;

    let (said, _) = socket.farewell().await;
    assert!(String::from_utf8_lossy(&said).contains("You read too slowly"));
    assert!(socket.rest().await.is_empty(), "it is closed");
    hub.has_not_panicked();
}

#[tokio::test]
async fn a_client_that_reads_nothing_is_let_go() {
    // All of it is kept: only the socket is full.
    let hub = HubProcess::alone_with(&["--stateful-buffer-bytes", "1000000000"]).await;
    let (mut socket, _, _) = in_the_lobby(&hub).await;

    flood(&hub).await;

    // Its socket is closed, and not kept for ever.
    socket.rest().await;
    hub.has_not_panicked();
}

async fn until_the_end(client: &mut Client) -> Vec<(String, String)> {
    let mut heard = Vec::new();
    loop {
        match client.hears().await {
            (_, text) if text == "end" => return heard,
            said => heard.push(said),
        }
    }
}
