//! The mission, before one's eyes: a message said through one hub pod is heard through every other.

use crate::signalr::Client;
use anyhow::{Context, Result, anyhow, ensure};
use serde_json::json;
use std::net::TcpStream;
use std::thread::sleep;
use std::time::{Duration, Instant};

#[derive(clap::Args)]
pub(crate) struct Options {
    /// Where hubs answer: a load balancer's address, or one address for each pod
    #[arg(long = "url", required = true)]
    urls: Vec<String>,
    /// How many pods there are
    #[arg(long)]
    pods: usize,
    /// Begin when the first address takes connections, however long that is
    #[arg(long)]
    await_listener: bool,
    /// End when the first message has arrived
    #[arg(long)]
    first: bool,
}

/// How long to look for all pods behind one address, and to wait for a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// For a cluster that is just being made.
const LISTENER: Duration = Duration::from_mins(4);
/// Unlike any room that people use.
const ROOM: &str = "crossing";

pub(crate) fn run(options: &Options) -> Result<()> {
    if options.await_listener {
        await_listener(options.urls.first().context("an address")?)?;
    }
    let mut clients = one_for_each_pod(options)?;
    for (i, client) in clients.iter_mut().enumerate() {
        println!("  client {} is served by {}", i + 1, client.pod);
        client.call("Join", &json!([ROOM, format!("client {}", i + 1)]), Instant::now() + PATIENCE)?;
    }
    for from in 0..clients.len() {
        say_and_hear(&mut clients, from)?;
        if options.first {
            break;
        }
    }
    Ok(())
}

/// Tries briefly and often: a connection that is not refused but lost would be tried again by the kernel only after a second.
fn await_listener(url: &str) -> Result<()> {
    let host = url.trim_start_matches("http://").split('/').next().unwrap_or_default();
    let address = format!("{host}:80").parse().context("the address must be one of IPv4, without a port")?;
    let deadline = Instant::now() + LISTENER;
    while TcpStream::connect_timeout(&address, Duration::from_millis(100)).is_err() {
        ensure!(Instant::now() < deadline, "{host} takes no connection");
        sleep(Duration::from_millis(20));
    }
    Ok(())
}

/// Connects until each pod serves one client: a load balancer picks for every connection anew. An address that is brand
/// new may take a moment to be known on every node.
fn one_for_each_pod(options: &Options) -> Result<Vec<Client>> {
    let mut clients: Vec<Client> = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let mut refused = None;
    for url in options.urls.iter().cycle() {
        if clients.len() == options.pods {
            break;
        }
        if Instant::now() > deadline {
            let met =
                format!("met {} of {} hub pods at {}", clients.len(), options.pods, options.urls.join(", "));
            return Err(refused.unwrap_or_else(|| anyhow!("no connection led to the others")).context(met));
        }
        match Client::connect(url, Duration::from_secs(5)) {
            Ok(client) if clients.iter().all(|c| c.pod != client.pod) => clients.push(client),
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                sleep(Duration::from_millis(100));
            }
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
        let ms = said.elapsed().as_secs_f64() * 1000.0;
        println!("    client {} on {} hears it, sent by {by}, after {ms:.1} ms", i + 1, client.pod);
    }
    Ok(())
}
