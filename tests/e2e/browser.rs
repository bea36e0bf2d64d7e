//! The chat page in a real browser.

use serde_json::json;

use crate::people::{People, address};
use crate::pods::kill;
use crate::program::Program;
use crate::support::Namespace;

#[tokio::test]
async fn the_page_on_one_hub_shows_what_a_client_of_another_said_and_survives_its_hub() {
    let ns = Namespace::new("browser").await;
    let lobby = ns.chat("lobby", json!({"redis": {"persistence": "None"}})).await;
    lobby.becomes_ready().await;
    let page = Program::start("browser.mjs");
    let people = People::of(&lobby).await;

    page.must("open", json!({"url": format!("http://{}/?room=garden", address(&lobby).await)})).await;
    let pod = page.must("join", json!({"name": "grace", "room": "garden"})).await["pod"].clone();
    let pod = pod.as_str().expect("the page names its pod");
    let ada = people.arrive_not_at("ada", &[pod]).await;
    ada.join("garden").await;

    ada.say("garden", "hello from another hub").await;
    page.must("sees", json!({"text": "hello from another hub"})).await;
    page.must("say", json!({"text": "hello from the page"})).await;
    let message = ada.hears("hello from the page").await;
    assert_eq!(message["from"], "grace");
    assert_eq!(message["pod"], pod, "the message came through another hub than the page's");

    kill(&lobby, pod).await;

    page.must("leaves", json!({"pod": pod, "seconds": 90})).await;
    page.must("status", json!({"is": "connected", "seconds": 90})).await;
    ada.say("garden", "are you back?").await;
    page.must("sees", json!({"text": "are you back?"})).await;
}
