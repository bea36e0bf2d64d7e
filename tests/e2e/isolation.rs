//! The isolation of clusters from each other, and of Redis from everyone but its hubs.

use serde_json::{Value, json};

use crate::people::{People, everyone_hears_everyone};
use crate::pods::Probe;
use crate::support::{Chat, Kind, Namespace};

/// Asserts that people in rooms of the same name in two clusters hear only the people of their own cluster.
async fn never_hear_each_other(first: &Chat<'_>, second: &Chat<'_>) {
    let (here, there) = (People::of(first).await, People::of(second).await);
    let (ada, bob) = (here.arrive("ada").await, there.arrive("bob").await);
    let (eve, dan) = (here.arrive_apart("eve", &[&ada]).await, there.arrive_apart("dan", &[&bob]).await);
    for person in [&ada, &bob, &eve, &dan] {
        person.join("garden").await;
    }

    ada.say("garden", "from the first").await;
    eve.hears("from the first").await;
    bob.say("garden", "from the second").await;
    dan.hears("from the second").await;
    // By the end of these exchanges, the first messages would have crossed over.
    everyone_hears_everyone("garden", &[&ada, &eve]).await;
    everyone_hears_everyone("garden", &[&bob, &dan]).await;

    for person in [&ada, &eve] {
        assert!(
            !person.heard().contains(&"from the second".to_owned()),
            "{}: {:?}",
            person.name,
            person.heard()
        );
    }
    for person in [&bob, &dan] {
        assert!(
            !person.heard().contains(&"from the first".to_owned()),
            "{}: {:?}",
            person.name,
            person.heard()
        );
    }
}

#[tokio::test]
async fn two_clusters_in_one_namespace_never_hear_each_other() {
    let ns = Namespace::new("neighbours").await;
    let spec = json!({"redis": {"persistence": "None"}});
    let (lobby, games) = (ns.chat("lobby", spec.clone()).await, ns.chat("games", spec).await);
    lobby.becomes_ready().await;
    games.becomes_ready().await;

    never_hear_each_other(&lobby, &games).await;
}

#[tokio::test]
async fn clusters_of_the_same_name_in_two_namespaces_never_hear_each_other() {
    let (here, there) = (Namespace::new("here").await, Namespace::new("there").await);
    let spec = json!({"redis": {"persistence": "None"}});
    let (first, second) = (here.chat("lobby", spec.clone()).await, there.chat("lobby", spec).await);
    first.becomes_ready().await;
    second.becomes_ready().await;

    never_hear_each_other(&first, &second).await;
}

#[tokio::test]
async fn redis_answers_only_hubs_that_have_the_password() {
    let ns = Namespace::new("walls").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let hub = Probe::like_a_hub(&lobby).await;
    let stranger = Probe::stranger(&lobby).await;

    hub.reaches_redis().await;

    let answer = stranger.redis("ping").await;
    assert!(answer.is_err(), "a pod without a hub's labels reached Redis: {answer:?}");
    let address = lobby.child(Kind::Service, "-redis").get().await["spec"]["clusterIP"].clone();
    let pod_address = ns.child(Kind::Pod, "lobby-redis-0").get().await["status"]["podIP"].clone();
    for ip in [address, pod_address].map(|ip| ip.as_str().expect("an address").to_owned()) {
        let command = format!("REDISCLI_AUTH=$PASSWORD timeout 5 redis-cli -h {ip} ping");
        assert_eq!(hub.shell(&command).await.as_deref(), Ok("PONG\n"), "a hub at {ip}");
        let answer = stranger.shell(&command).await;
        assert!(answer.is_err(), "a pod without a hub's labels reached {ip}: {answer:?}");
    }

    let answer = hub.redis_as("", "ping").await;
    assert!(answer.as_ref().is_err_and(|said| said.contains("NOAUTH")), "without a password: {answer:?}");
    let answer = hub.redis_as("REDISCLI_AUTH=wrong", "ping").await;
    assert!(
        answer.as_ref().is_err_and(|said| said.contains("NOAUTH") || said.contains("WRONGPASS")),
        "{answer:?}"
    );
    let answer = hub.redis_as("", "auth wrong").await;
    assert!(answer.as_ref().is_err_and(|said| said.contains("WRONGPASS")), "a wrong password: {answer:?}");
}

#[tokio::test]
async fn the_hubs_have_an_external_address_and_redis_has_none() {
    let ns = Namespace::new("addresses").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;

    let public = lobby.child(Kind::Service, "").get().await;

    assert!(public["status"]["loadBalancer"]["ingress"][0]["ip"].is_string(), "{}", public["status"]);
    for suffix in ["-redis", "-redis-nodes"] {
        let service = lobby.child(Kind::Service, suffix).get().await;
        assert_eq!(service["spec"]["type"], "ClusterIP");
        assert_eq!(service["status"]["loadBalancer"], json!({}));
        assert_eq!(service["spec"]["externalIPs"], Value::Null);
        assert_eq!(service["spec"]["ports"][0].get("nodePort"), None);
    }
}
