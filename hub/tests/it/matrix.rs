//! Every client over every transport in every protocol, all in the same room.

use std::collections::BTreeSet;

use futures::future::join_all;
use serde_json::{Value, json};

use crate::stateful::until_the_end;
use crate::support::{Balancer, Client, Cluster, Kind, Way};

/// A text that is hard to transmit: ends of records, lines and strings, syntax, all of Unicode.
const HARD: &str = "\u{1e}\0\r\n\n\ndata: \"\\ é \u{2028} \u{fffd} 🦀 \u{10ffff} </script> %00";

/// Frequent pings, for Python's long polling, which delivers one record per poll; and a long timeout, because
/// Python's WebSocket sends no pings.
const FLAGS: &[&str] = &["--keep-alive", "1", "--client-timeout", "300"];

#[tokio::test]
async fn clients_of_all_kinds_on_two_hubs_hear_each_other_in_one_order() {
    let cluster = Cluster::with_one_key(FLAGS).await;
    let urls = [cluster.hub_a.url(), cluster.hub_b.url()];

    let clients = join_all((0..Way::ALL.len()).map(|n| join(n, urls[n % 2].clone()))).await;

    everyone_hears_everyone(clients).await;
    cluster.has_not_panicked();
}

#[tokio::test]
async fn no_client_needs_a_sticky_session() {
    let cluster = Cluster::with_one_key(FLAGS).await;
    let hubs = [cluster.hub_a.address(), cluster.hub_b.address()];
    // Each client has its own balancer, so that its requests alternate between the hubs.
    let balancers = join_all(
        (0..Way::ALL.len()).map(|n| Balancer::each_request_to_another(vec![hubs[n % 2], hubs[(n + 1) % 2]])),
    )
    .await;

    let clients = join_all(balancers.iter().enumerate().map(|(n, balancer)| join(n, balancer.url()))).await;

    everyone_hears_everyone(clients).await;
    cluster.has_not_panicked();
}

/// Connects the `n`th of all clients and joins the room.
async fn join(n: usize, url: String) -> Client {
    let mut client = Client::connect_by(Way::ALL[n], &url).await;
    let joined = client.invoke("Join", &json!(["lobby ü", name(n)])).await;
    assert_eq!(joined.unwrap_or_else(|error| panic!("{}: {error}", Way::ALL[n]))["room"], "lobby ü");
    client
}

fn name(n: usize) -> String {
    format!("{n} 🙂")
}

async fn everyone_hears_everyone(mut clients: Vec<Client>) {
    let speak = clients.iter_mut().enumerate().map(|(n, client)| async move {
        let sent = client.invoke("Send", &json!(["lobby ü", format!("{n}{HARD}")])).await;
        sent.unwrap_or_else(|error| panic!("{}: {error}", client.way()));
    });
    join_all(speak).await;
    clients[0].invoke("Send", &json!(["lobby ü", "end"])).await.unwrap();

    let heard = join_all(clients.iter_mut().map(until_the_end)).await;

    let everyone: BTreeSet<_> = (0..clients.len()).map(|n| (name(n), format!("{n}{HARD}"))).collect();
    for (client, texts) in clients.iter().zip(&heard) {
        assert_eq!(texts.len(), clients.len(), "{} does not hear everyone once: {texts:?}", client.way());
        assert_eq!(BTreeSet::from_iter(texts.clone()), everyone, "{}", client.way());
        assert_eq!(texts, &heard[0], "the order of {} and {} differs", client.way(), clients[0].way());
    }

    values_arrive_as_they_are(&mut clients).await;
}

/// One client of each kind and protocol sends values of all types, and all clients receive them unchanged.
async fn values_arrive_as_they_are(clients: &mut [Client]) {
    let value = |n: usize| {
        let list = json!([null, 1, -2, 0.5, 1e300, 9_007_199_254_740_991_u64, true, [], {}]);
        let mut value = json!({ "n": n, "list": list, HARD: HARD });
        // Java's client omits members that are null.
        if Way::ALL[n].kind != Kind::Java {
            value["null"] = Value::Null;
        }
        value
    };
    let alike = |a: Way, b: Way| (a.kind, a.protocol) == (b.kind, b.protocol);
    let speakers: BTreeSet<_> =
        (0..Way::ALL.len()).filter(|n| !Way::ALL[..*n].iter().any(|way| alike(*way, Way::ALL[*n]))).collect();
    for n in &speakers {
        let client = &mut clients[*n];
        let sent = client.invoke("Broadcast", &json!(["note", null, value(*n)])).await;
        assert_eq!(sent, Ok(Value::Null), "{}", client.way());
    }

    join_all(clients.iter_mut().map(|client| async {
        let mut missing = speakers.clone();
        while !missing.is_empty() {
            let note = client.event("note").await;
            let n = note[1]["n"].as_u64().and_then(|n| usize::try_from(n).ok()).expect("a sender's number");
            assert_eq!(note, json!([null, value(n)]), "{}", client.way());
            assert!(missing.remove(&n), "{} gets the note of {n} twice", client.way());
        }
    }))
    .await;
}
