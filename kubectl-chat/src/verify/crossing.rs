//! A client at each hub, a message through each, and who hears it when.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use tokio::time::Instant;

use super::report::{Heard, Hub, Messages};
use super::signalr::{At, Client};

/// How long a message may take. Hubs on both sides of a full queue would still make it.
const PATIENCE: Duration = Duration::from_secs(10);

pub(super) async fn run(at: &At<'_>, hubs: &[String]) -> Messages {
    // No one else is in this room, and nobody who chats sees it.
    let room = format!("kubectl-chat-verify-{:08x}", rand::random::<u32>());
    let mut clients = Vec::new();
    let mut rows = Vec::new();
    for (hub, met) in hubs.iter().zip(join_all(hubs.iter().map(|hub| enter(at, hub, &room))).await) {
        match met {
            Ok(client) => clients.push(client),
            Err(Refusal::OtherHub(why)) => return Messages::untested(&why),
            Err(Refusal::Failed(why)) => rows.push(Hub::failed(hub, why)),
        }
    }
    for from in 0..clients.len() {
        rows.push(say(&mut clients, from, &room).await);
    }
    rows.sort_by(|a, b| a.pod.cmp(&b.pod));
    Messages::tested(rows)
}

/// Why there is no client.
enum Refusal {
    /// It speaks SignalR, but has not the methods of ours
    OtherHub(String),
    Failed(String),
}

async fn enter(at: &At<'_>, hub: &str, room: &str) -> Result<Client, Refusal> {
    let mut client = at.connect(hub, PATIENCE).await.map_err(Refusal::Failed)?;
    let deadline = Instant::now() + PATIENCE;
    match client.call("Join", &json!([room, "kubectl chat verify"]), deadline).await {
        Ok(()) => Ok(client),
        // Such as for a token that is good for some rooms.
        Err(why) if client.is_welcome() => Err(Refusal::Failed(why)),
        Err(why) => Err(Refusal::OtherHub(format!(
            "the hubs speak SignalR, but are not chatcluster's own, which take Join and Send: {why}"
        ))),
    }
}

/// Says something through one hub, and waits until every hub passes it on, that one too.
async fn say(clients: &mut [Client], from: usize, room: &str) -> Hub {
    let pod = clients[from].pod.clone();
    let text = format!("through {pod}");
    let start = Instant::now();
    let deadline = start + PATIENCE;
    if let Err(why) = clients[from].call("Send", &json!([room, text]), deadline).await {
        return Hub::failed(&pod, why);
    }
    let mut row = Hub { pod, heard_at: Vec::new(), not_heard_at: Vec::new(), error: None };
    for client in clients {
        let heard = client
            .until(deadline, |m| m["target"] == "message" && m["arguments"][0]["text"] == text.as_str())
            .await;
        match heard {
            Ok((_, at)) => {
                let milliseconds = at.duration_since(start).as_secs_f64() * 1000.0;
                row.heard_at.push(Heard { pod: client.pod.clone(), milliseconds });
            }
            Err(_) => row.not_heard_at.push(client.pod.clone()),
        }
    }
    row
}
