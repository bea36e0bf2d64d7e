//! Stateful reconnect (`HubProtocol.md`): a connection outlives its WebSocket.

use serde_json::json;

use crate::support::{Balancer, Client, Kind, Pair, Way};

/// How often the WebSocket is cut.
const CUTS: usize = 5;

fn ways() -> impl Iterator<Item = Way> {
    Way::ALL.into_iter().filter(|way| way.kind == Kind::Npm && way.more.contains(&"stateful"))
}

#[tokio::test]
async fn a_cut_websocket_loses_and_doubles_nothing() {
    for way in ways() {
        let pair = Pair::start(&[]).await;
        let balancer = Balancer::before(vec![pair.a.address()]).await;

        cut_again_and_again(way, &pair, &balancer).await;
    }
}

#[tokio::test]
async fn a_connection_goes_on_at_its_hub_wherever_its_websocket_comes_in() {
    for way in ways() {
        let pair = Pair::start(&[]).await;
        let balancer = Balancer::each_request_to_another(vec![pair.a.address(), pair.b.address()]).await;

        cut_again_and_again(way, &pair, &balancer).await;
    }
}

async fn cut_again_and_again(way: Way, pair: &Pair, balancer: &Balancer) {
    let mut ada = Client::join(&pair.b.url(), "lobby", "Ada").await;
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
    pair.a.has_not_panicked();
    pair.b.has_not_panicked();
}

/// One message from each, Ada's confirmed.
async fn said(ada: &mut Client, grace: &mut Client, cut: usize, when: &str) {
    let text = format!("{cut} {when}");
    grace.send("Send", &json!(["lobby", text])).await;
    ada.invoke("Send", &json!(["lobby", text])).await.unwrap();
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
