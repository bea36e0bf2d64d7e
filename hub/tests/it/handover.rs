//! The handover of connections with stateful reconnect to another hub.

use std::cell::Cell;

use serde_json::json;

use crate::stateful::{in_the_lobby, until_the_end, ways};
use crate::support::cluster::{PASSWORD, TOKEN_KEY};
use crate::support::socket::{Socket, frame, op};
use crate::support::{Balancer, Client, Cluster, Folder, HubProcess, token};

#[tokio::test]
async fn a_hub_that_ends_hands_over_its_connections_and_their_clients_notice_nothing() {
    for way in ways() {
        let mut cluster = Cluster::with_one_key(&[]).await;
        let mut third = one_more(&cluster, &[]).await;
        let hubs = vec![cluster.hub_a.address(), cluster.hub_b.address(), third.address()];
        let balancer = Balancer::before(hubs).await;
        let mut ada = Client::join(&third.url(), "lobby", "Ada").await;
        let mut grace = Client::connect_by(way, &balancer.url()).await;
        let welcome = grace.event("welcome").await;
        assert_eq!(welcome["pod"], "hub-a", "{way}");
        let id = welcome["connectionId"].clone();
        grace.invoke("Join", &json!(["lobby", "Grace"])).await.unwrap();
        grace.invoke("AddToGroup", &json!(["g"])).await.unwrap();

        // From the first hub to the second, and from there to the third. Its token is from the first.
        let mut said = 0;
        for hub in [&mut cluster.hub_a, &mut cluster.hub_b] {
            said += while_it_ends(hub, async |n| {
                let text = json!(["lobby", (said + n).to_string()]);
                grace.send("Send", &text).await;
                ada.invoke("Send", &text).await.expect("the message is stored");
            })
            .await;
            // The next hub serves the client before it ends itself.
            assert_eq!(grace.invoke("Typing", &json!(["lobby"])).await, Ok(json!(null)), "{way}");
        }

        // The client still gets the messages of its room, its group and its id, its calls and its results
        // work, and its WebSocket may break again.
        balancer.cut();
        balancer.open();
        let answer = grace.invoke("Who", &json!(["lobby"])).await.unwrap();
        assert_eq!(answer["count"], 2, "{way}");
        ada.invoke("SendToGroup", &json!(["g", "draw", "for the group"])).await.unwrap();
        assert_eq!(grace.event("draw").await, "for the group", "{way}");
        let echoed = ada.invoke("InvokeConnection", &json!([id, "echo", 1, 2])).await;
        assert_eq!(echoed, Ok(json!([1, 2])), "{way}: its id has changed");
        ada.invoke("Send", &json!(["lobby", "end"])).await.unwrap();
        let expected = |name: &str| (0..said).map(|n| (name.to_owned(), n.to_string())).collect::<Vec<_>>();
        for (client, name) in [(&mut ada, "Ada"), (&mut grace, "Grace")] {
            let heard = until_the_end(client).await;
            for speaker in ["Ada", "Grace"] {
                let by: Vec<_> = heard.iter().filter(|said| said.0 == speaker).cloned().collect();
                assert_eq!(by, expected(speaker), "{way}: {name} hears {speaker}");
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
async fn a_hub_that_ends_neither_loses_nor_duplicates_calls_outside_of_rooms() {
    for way in ways() {
        let folder = Folder::new();
        let key = folder.write("jwt", token::KEY);
        let jwt = ["--jwt-key-file", key.to_str().expect("the path is UTF-8")];
        let mut cluster = Cluster::with_one_key(&jwt).await;
        let mut third = one_more(&cluster, &jwt).await;
        let hubs = vec![cluster.hub_a.address(), cluster.hub_b.address(), third.address()];
        let balancer = Balancer::before(hubs).await;
        let url =
            |url: &str, user: &str| format!("{url}?access_token={}", token::hs256(&json!({ "sub": user })));
        let mut ada = Client::connect(&url(&third.url(), "ada")).await;
        let mut grace = Client::connect_by(way, &url(&balancer.url(), "grace")).await;
        let id = grace.connection_id().to_owned();
        grace.invoke("AddToGroup", &json!(["g"])).await.unwrap();

        let mut said = 0;
        for hub in [&mut cluster.hub_a, &mut cluster.hub_b] {
            said += while_it_ends(hub, async |n| {
                let n = said + n;
                let (method, arguments) = match n % 4 {
                    0 => ("SendToGroup", json!(["g", "draw", n])),
                    1 => ("SendToUser", json!(["grace", "draw", n])),
                    2 => ("SendToConnection", json!([id, "draw", n])),
                    _ => ("BroadcastToOthers", json!(["draw", n])),
                };
                ada.invoke(method, &arguments).await.expect("the call is published");
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
    let balancer = Balancer::before(vec![cluster.hub_a.address(), cluster.hub_b.address()]).await;
    let way = ways().next().expect("a way with stateful reconnect");
    let join = async |mut client: Client, name: &str| {
        let options = json!(["lobby", name, { "presence": true }]);
        client.invoke("Join", &options).await.expect("the client joins");
        client
    };
    let grace = join(Client::connect_by(way, &balancer.url()).await, "Grace").await;
    let ada = join(Client::connect(&cluster.hub_b.url()).await, "Ada").await;
    let edsger = join(Client::connect(&third.url()).await, "Edsger").await;
    let mut all = [grace, ada, edsger];
    for client in &mut all {
        while client.event("presence").await["count"] != 3 {}
    }

    cluster.hub_a.terminate().await;
    assert!(cluster.hub_a.ended().await.success());

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
    cluster.hub_b.has_not_panicked();
}

#[tokio::test]
async fn a_client_can_answer_a_call_at_the_next_hub() {
    let mut cluster = Cluster::with_one_key(&[]).await;
    let mut ada = Client::connect(&cluster.hub_b.url()).await;
    let (mut socket, token, id) = in_the_lobby(&cluster.hub_a).await;
    let call = json!([id, "ask"]);

    let (answer, socket) = tokio::join!(ada.invoke("InvokeConnection", &call), async {
        let (_, asked) = socket.frame().await.expect("the client is called");
        let asked: serde_json::Value =
            serde_json::from_slice(asked.strip_suffix(b"\x1e").expect("the call is one record"))
                .expect("a record is JSON");
        cluster.hub_a.terminate().await;
        let (said, _) = socket.farewell().await;
        assert!(said.is_empty(), "the hub says something: {}", String::from_utf8_lossy(&said));

        let mut socket = Socket::upgraded(cluster.hub_b.address(), &format!("?id={token}")).await;
        let completion = json!({ "type": 3, "invocationId": asked["invocationId"], "result": "here" });
        let again = format!("{{\"type\":9,\"sequenceId\":2}}\x1e{completion}\x1e");
        socket.write(&frame(op::TEXT, again.as_bytes())).await;
        assert!(cluster.hub_a.ended().await.success());
        socket
    });

    assert_eq!(answer, Ok(json!("here")));
    drop(socket);
    cluster.hub_b.has_not_panicked();
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

/// Sends the numbers from 0 on, while the hub hands over its clients and ends. Returns their count.
async fn while_it_ends(hub: &mut HubProcess, mut say: impl AsyncFnMut(u32)) -> u32 {
    let has_ended = Cell::new(false);
    let speak = async {
        let mut count = 0;
        // Some more follow after the hub has ended.
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
