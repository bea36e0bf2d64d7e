//! A stand-in for the cluster's load balancer: one address in front of several hubs.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// The rule by which a connection gets its hub.
#[derive(Debug, Clone, Copy)]
enum Choice {
    /// The first hub that accepts.
    First,
    /// For each request the next hub in turn. A client that would reuse its connection is forced to open
    /// another.
    EachRequest,
}

pub(crate) struct Balancer {
    address: SocketAddr,
    task: JoinHandle<()>,
    state: Arc<watch::Sender<State>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct State {
    /// False while connections are accepted but must wait.
    open: bool,
    /// A counter whose change ends the existing connections.
    cut: usize,
}

impl Balancer {
    /// A balancer that sends every connection to the first hub that accepts.
    pub(crate) async fn before(hubs: Vec<SocketAddr>) -> Self {
        Self::start(hubs, Choice::First).await
    }

    /// A balancer without sticky sessions: it sends every request to the next hub in turn.
    pub(crate) async fn each_request_to_another(hubs: Vec<SocketAddr>) -> Self {
        Self::start(hubs, Choice::EachRequest).await
    }

    async fn start(hubs: Vec<SocketAddr>, choice: Choice) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
        let address = listener.local_addr().expect("the port has a number");
        let state = Arc::new(watch::Sender::new(State { open: true, cut: 0 }));
        let watched = Arc::clone(&state);
        let next = Arc::new(AtomicUsize::new(0));
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let (hubs, next, mut state) = (hubs.clone(), Arc::clone(&next), watched.subscribe());
                tokio::spawn(async move {
                    let Ok(cut) = state.wait_for(|state| state.open).await.map(|state| state.cut) else {
                        return;
                    };
                    let forwarded = async {
                        match choice {
                            Choice::First => forward(client, &hubs).await,
                            Choice::EachRequest => forward_one(client, &hubs, &next).await,
                        }
                    };
                    tokio::select! {
                        _ = forwarded => {}
                        _ = state.wait_for(|state| state.cut != cut) => {}
                    }
                });
            }
        });
        Self { address, task, state }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}/hub", self.address)
    }

    /// Ends every connection, and lets none through until [`Balancer::open`].
    pub(crate) fn cut(&self) {
        self.state.send_modify(|state| *state = State { open: false, cut: state.cut + 1 });
    }

    pub(crate) fn open(&self) {
        self.state.send_modify(|state| state.open = true);
    }
}

impl Drop for Balancer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn forward(mut client: TcpStream, hubs: &[SocketAddr]) -> std::io::Result<()> {
    for hub in hubs {
        if let Ok(mut hub) = TcpStream::connect(hub).await {
            tokio::io::copy_bidirectional(&mut client, &mut hub).await?;
            return Ok(());
        }
    }
    Ok(())
}

/// Forwards one request, and its whole answer.
async fn forward_one(mut client: TcpStream, hubs: &[SocketAddr], next: &AtomicUsize) -> std::io::Result<()> {
    let mut head = Vec::new();
    let end = loop {
        if let Some(end) = head.windows(4).position(|four| four == b"\r\n\r\n") {
            break end;
        }
        if client.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    };
    // The hub is chosen when there is a request, because some clients open connections that they do not use.
    let hub = hubs[next.fetch_add(1, Ordering::SeqCst) % hubs.len()];
    let mut hub = TcpStream::connect(hub).await?;
    let text = String::from_utf8_lossy(&head[..end]).into_owned();
    let keeps = |line: &&str| {
        let name = line.split(':').next().unwrap_or_default();
        text.to_ascii_lowercase().contains("upgrade: websocket") || !name.eq_ignore_ascii_case("connection")
    };
    let mut lines: Vec<&str> = text.split("\r\n").filter(keeps).collect();
    if !text.to_ascii_lowercase().contains("upgrade: websocket") {
        lines.push("Connection: close");
    }
    hub.write_all(format!("{}\r\n\r\n", lines.join("\r\n")).as_bytes()).await?;
    hub.write_all(&head[end + 4..]).await?;
    tokio::io::copy_bidirectional(&mut client, &mut hub).await?;
    Ok(())
}
