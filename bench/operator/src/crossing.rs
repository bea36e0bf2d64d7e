//! Clients outside of a cluster with real pods: from the first connection that the load balancer's address
//! takes to the first message that crosses two hubs.

use anyhow::{Context, Error, Result, anyhow, bail};
use signalr_client::{Client, Encoding, Endpoint};
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use crate::wait::until;

#[derive(clap::Args)]
pub(crate) struct Options {
    /// The address at which the hubs will answer
    #[arg(long)]
    address: SocketAddr,
    /// The number of hubs, each of which serves one client
    #[arg(long)]
    hubs: usize,
}

/// The longest wait for a connection: the cluster is created meanwhile.
const LISTENER: Duration = Duration::from_mins(4);
/// The longest wait for all hubs to be met behind the address, and for a message.
const PATIENCE: Duration = Duration::from_secs(30);
/// The longest time that one connection may take.
const CONNECTION: Duration = Duration::from_secs(5);
/// A room that nobody else uses.
const ROOM: &str = "crossing";

pub(crate) async fn run(options: &Options) -> Result<()> {
    await_listener(options.address).await?;
    let mut clients = one_for_each_hub(options).await?;
    for (index, client) in clients.iter_mut().enumerate() {
        client.invoke("Join", &(ROOM, format!("client {index}")), Instant::now() + PATIENCE).await?;
    }
    let (first, others) = clients.split_first_mut().context("at least one hub")?;
    let deadline = Instant::now() + PATIENCE;
    let text = "hello from the first client";
    first.invoke("Send", &(ROOM, text), deadline).await?;
    for client in others {
        client
            .call(deadline, |call| {
                call.target == "message"
                    && call.arguments.first().is_some_and(|message| message["text"] == text)
            })
            .await?;
    }
    Ok(())
}

/// Tries briefly and often: the kernel would repeat a connection request that is lost, not refused, only
/// after a second.
async fn await_listener(address: SocketAddr) -> Result<()> {
    until(&format!("{address} takes a connection"), LISTENER, Duration::from_millis(20), async || {
        let connected = timeout(Duration::from_millis(100), TcpStream::connect(address)).await;
        Ok(matches!(connected, Ok(Ok(_))).then_some(()))
    })
    .await
}

/// Connects until each hub serves one client: the load balancer picks a hub for every connection. A new
/// address may take a moment to be known on every node.
async fn one_for_each_hub(options: &Options) -> Result<Vec<Client>> {
    let mut met: Vec<(String, Client)> = Vec::new();
    let deadline = Instant::now() + PATIENCE;
    let mut refused: Option<Error> = None;
    while met.len() < options.hubs {
        if Instant::now() > deadline {
            let hubs = format!("met {} of {} hubs at {}", met.len(), options.hubs, options.address);
            bail!(refused.unwrap_or_else(|| anyhow!("no connection led to the others")).context(hubs));
        }
        match connect(options.address).await {
            Ok((pod, client)) if met.iter().all(|(known, _)| *known != pod) => met.push((pod, client)),
            Ok(_) => {}
            Err(error) => {
                refused = Some(error);
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    Ok(met.into_iter().map(|(_, client)| client).collect())
}

/// A client, with the name of the pod that serves it, as the hub's welcome says.
async fn connect(address: SocketAddr) -> Result<(String, Client)> {
    let deadline = Instant::now() + CONNECTION;
    let stream =
        timeout(CONNECTION, TcpStream::connect(address)).await.context("no connection in time")??;
    stream.set_nodelay(true)?;
    let endpoint = Endpoint::new(address.to_string(), "/hub");
    let mut client = Client::connect(stream, &endpoint, None, Encoding::Json, deadline).await?;
    let welcome = client.call(deadline, |call| call.target == "welcome").await?;
    let pod = welcome.arguments.first().and_then(|welcome| welcome["pod"].as_str());
    Ok((pod.context("the hub's welcome names no pod")?.to_owned(), client))
}
