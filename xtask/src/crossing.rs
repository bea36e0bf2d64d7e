//! The mission, before one's eyes: a message said through one hub pod is heard through every other.

use crate::signalr::Client;
use anyhow::{Result, ensure};
use serde_json::json;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where hubs answer: a load balancer's address, or one address for each pod
    #[arg(long = "url", required = true)]
    urls: Vec<String>,
    /// How many pods there are
    #[arg(long)]
    pods: usize,
}

/// How long to look for all pods behind one address, and to wait for a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// Unlike any room that people use.
const ROOM: &str = "crossing";

pub(crate) fn run(options: &Options) -> Result<()> {
    let mut clients = one_for_each_pod(options)?;
    for (i, client) in clients.iter_mut().enumerate() {
        println!("  client {} is served by {}", i + 1, client.pod);
        client.call("Join", &json!([ROOM, format!("client {}", i + 1)]), Instant::now() + PATIENCE)?;
    }
    for from in 0..clients.len() {
        say_and_hear(&mut clients, from)?;
    }
    Ok(())
}

/// Connects until each pod serves one client: a load balancer picks for every connection anew.
fn one_for_each_pod(options: &Options) -> Result<Vec<Client>> {
    let mut clients: Vec<Client> = Vec::new();
    let start = Instant::now();
    let mut last_error = None;
    for url in options.urls.iter().cycle() {
        if clients.len() == options.pods {
            break;
        }
        ensure!(
            start.elapsed() < PATIENCE,
            "in {} s only {} of {} hub pods were met at {}{}",
            PATIENCE.as_secs(),
            clients.len(),
            options.pods,
            options.urls.join(", "),
            last_error.map(|e| format!(" ({e:#})")).unwrap_or_default()
        );
        let client = match Client::connect(url, Duration::from_secs(10)) {
            Ok(client) => client,
            // An address is handed out before every node routes it.
            Err(e) if start.elapsed() < PATIENCE => {
                last_error = Some(e);
                std::thread::sleep(Duration::from_millis(100));
                continue;
            }
            Err(e) => return Err(e),
        };
        if clients.iter().all(|c| c.pod != client.pod) {
            clients.push(client);
        }
    }
    Ok(clients)
}

fn say_and_hear(clients: &mut [Client], from: usize) -> Result<()> {
    let text = format!("hello from {}", clients[from].pod);
    println!("  client {} says “{text}”", from + 1);
    let said = Instant::now();
    let deadline = said + PATIENCE;
    clients[from].call("Send", &json!([ROOM, text]), deadline)?;
    for (i, client) in clients.iter_mut().enumerate().filter(|(i, _)| *i != from) {
        let heard = client
            .until(deadline, |m| m["target"] == "message" && m["arguments"][0]["text"] == text.as_str())?;
        let by = heard["arguments"][0]["pod"].as_str().unwrap_or("?");
        let ms = said.elapsed().as_millis();
        println!("    client {} on {} hears it, sent by {by}, after {ms} ms", i + 1, client.pod);
    }
    Ok(())
}
