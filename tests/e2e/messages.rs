//! The purpose of it all: a message reaches everyone in the room, whichever hubs its clients use.

use serde_json::json;

use crate::people::{People, everyone_hears_everyone, pods_of};
use crate::pods::{name_of, pods};
use crate::support::{Namespace, PODS, kubectl};

#[tokio::test]
async fn clients_on_different_hubs_hear_each_other_through_the_load_balancer() {
    let ns = Namespace::new("messages").await;
    let lobby = ns.chat("lobby", json!({})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;

    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    let eve = people.arrive_without_negotiation("eve").await;
    for person in [&ada, &bob, &eve] {
        person.join("garden").await;
    }

    assert_eq!(pods_of(&[&ada, &bob]).len(), 2, "one hub serves both");
    everyone_hears_everyone("garden", &[&ada, &bob, &eve]).await;
    let hubs: Vec<String> = pods(&lobby, "hub").await.iter().map(|pod| name_of(pod).to_owned()).collect();
    assert!(hubs.contains(&ada.pod) && hubs.contains(&bob.pod), "{hubs:?}: {}, {}", ada.pod, bob.pod);
}

#[tokio::test]
async fn a_message_stays_in_its_room_and_reaches_only_people_who_have_not_left() {
    let ns = Namespace::new("rooms").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    for room in ["garden", "kitchen"] {
        ada.join(room).await;
    }
    bob.join("garden").await;

    ada.say("kitchen", "only in the kitchen").await;
    ada.say("garden", "bob is here").await;
    bob.hears("bob is here").await;
    bob.leave("garden").await;
    ada.say("garden", "bob has left").await;
    ada.hears("bob has left").await;
    bob.join("garden").await;
    ada.say("garden", "bob is back").await;
    bob.hears("bob is back").await;

    assert_eq!(bob.heard(), ["bob is here", "bob is back"]);
    assert_eq!(ada.heard(), ["only in the kitchen", "bob is here", "bob has left", "bob is back"]);
}

#[tokio::test]
async fn hubs_that_kubectl_scale_adds_take_part_and_scaling_down_loses_no_client() {
    let ns = Namespace::new("scale").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let people = People::of(&lobby).await;
    let ada = people.arrive("ada").await;
    let bob = people.arrive_apart("bob", &[&ada]).await;
    let scale = async |replicas: &str| {
        let replicas = format!("--replicas={replicas}");
        kubectl(&["scale", "chatcluster/lobby", &replicas, "--namespace", &ns.name])
            .await
            .expect("kubectl scale");
        lobby.becomes_ready().await;
    };

    scale("4").await;
    let eve = people.arrive_apart("eve", &[&ada, &bob]).await;
    let dan = people.arrive_apart("dan", &[&ada, &bob, &eve]).await;
    let all = [&ada, &bob, &eve, &dan];
    for person in all {
        person.join("garden").await;
    }

    assert_eq!(pods_of(&all).len(), 4, "four hubs serve them");
    everyone_hears_everyone("garden", &all).await;

    scale("2").await;
    ns.eventually(PODS, "two hubs remain", async || match pods(&lobby, "hub").await.len() {
        2 => Ok(()),
        n => Err(format!("{n} hubs")),
    })
    .await;
    let left: Vec<String> = pods(&lobby, "hub").await.iter().map(|pod| name_of(pod).to_owned()).collect();
    for person in all {
        if !left.contains(&person.pod) {
            let now = person.reconnects().await;
            assert!(left.contains(&now), "{} is at {now}, which is not one of {left:?}", person.name);
        }
    }
    everyone_hears_everyone("garden", &all).await;
}
