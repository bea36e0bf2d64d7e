//! A client at each hub, a message through each, and the times at which the others receive it.

use std::time::Duration;

use futures::future::join_all;
use serde_json::json;
use signalr_client::Client;
use tokio::time::Instant;

use super::hubs::{Hubs, Refusal};
use super::report::{Heard, Hub, Messages};

/// The longest time that a message may take. Even between hubs with full queues it takes less.
const PATIENCE: Duration = Duration::from_secs(10);

/// A client, and the hub pod that it is connected to.
struct Member {
    pod: String,
    client: Client,
}

/// Sends a message through each of these hub pods.
pub(super) async fn run(hubs: &Hubs<'_>, pods: &[String]) -> Messages {
    // A room without anybody else, which nobody who chats sees.
    let room = format!("kubectl-chat-verify-{:08x}", rand::random::<u32>());
    let mut members = Vec::new();
    let mut rows = Vec::new();
    for (pod, entered) in pods.iter().zip(join_all(pods.iter().map(|pod| enter(hubs, pod, &room))).await) {
        match entered {
            Ok(client) => members.push(Member { pod: pod.clone(), client }),
            Err(Refusal::Untestable(why)) => return Messages::untested(&why),
            Err(Refusal::Failed(why)) => rows.push(Hub::failed(pod, why)),
        }
    }
    for from in 0..members.len() {
        rows.push(send(&mut members, from, &room).await);
    }
    rows.sort_by(|a, b| a.pod.cmp(&b.pod));
    Messages::tested(rows)
}

async fn enter(hubs: &Hubs<'_>, pod: &str, room: &str) -> Result<Client, Refusal> {
    let mut client = hubs.connect(pod).await.map_err(Refusal::Failed)?;
    match client.invoke("Join", &(room, "kubectl chat verify"), Instant::now() + PATIENCE).await {
        Ok(_) => Ok(client),
        // A chatcluster hub welcomes each client first. It may still refuse, such as a token for certain
        // rooms only.
        Err(error) if client.was_called("welcome") => Err(Refusal::Failed(error.to_string())),
        Err(error) => Err(Refusal::Untestable(format!(
            "the hubs speak SignalR, but are not chatcluster's own, which take Join and Send: {error}"
        ))),
    }
}

/// Sends a message through one hub, and waits until every hub, including that one, has passed it on.
async fn send(members: &mut [Member], from: usize, room: &str) -> Hub {
    let pod = members[from].pod.clone();
    let text = format!("through {pod}");
    let start = Instant::now();
    let deadline = start + PATIENCE;
    if let Err(error) = members[from].client.invoke("Send", &(room, &text), deadline).await {
        return Hub::failed(&pod, error.to_string());
    }
    let mut row = Hub { pod, heard_at: Vec::new(), not_heard_at: Vec::new(), error: None };
    let message = json!(text);
    for Member { pod, client } in members {
        let heard = client
            .call(deadline, |call| {
                call.target == "message" && call.arguments.first().is_some_and(|said| said["text"] == message)
            })
            .await;
        match heard {
            Ok(call) => {
                let milliseconds = call.at.duration_since(start).as_secs_f64() * 1000.0;
                row.heard_at.push(Heard { pod: pod.clone(), milliseconds });
            }
            Err(_) => row.not_heard_at.push(pod.clone()),
        }
    }
    row
}
