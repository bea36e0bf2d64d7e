//! A TCP relay between two programs on this machine, whose connections can be frozen and cut.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

/// The treatment of the connections.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Way {
    /// Everything passes.
    Open,
    /// Nothing passes and no connection is closed, as when packets are lost.
    Frozen,
    /// Data from the operator is held back, so that its writes arrive late; data to the operator passes.
    Muted,
    /// All connections are closed, also new ones, as when the other end is down.
    Cut,
}

/// A relay that ends when dropped, and its connections with it.
pub(super) struct Gate {
    pub(super) port: u16,
    way: watch::Sender<Way>,
    breaks: watch::Sender<()>,
    attempts: Arc<AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Gate {
    /// Starts a relay to `inner`.
    pub(super) async fn to(inner: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let port = listener.local_addr().expect("its address").port();
        let way = watch::Sender::new(Way::Open);
        let breaks = watch::Sender::new(());
        let attempts = Arc::new(AtomicUsize::new(0));
        let (ways, broken, counted) = (way.clone(), breaks.clone(), attempts.clone());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            loop {
                let (outside, _) = listener.accept().await.expect("a connection");
                counted.fetch_add(1, Ordering::Relaxed);
                connections.spawn(connect(outside, inner, ways.subscribe(), broken.subscribe()));
                while connections.try_join_next().is_some() {}
            }
        });
        Self { port, way, breaks, attempts, task }
    }

    pub(super) fn set(&self, way: Way) {
        self.way.send_replace(way);
    }

    /// Closes the existing connections.
    pub(super) fn break_all(&self) {
        self.breaks.send_replace(());
    }

    /// The number of connections that were attempted.
    pub(super) fn attempts(&self) -> usize {
        self.attempts.load(Ordering::Relaxed)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn connect(
    outside: TcpStream,
    inner: SocketAddr,
    way: watch::Receiver<Way>,
    mut broken: watch::Receiver<()>,
) {
    if *way.borrow() == Way::Cut {
        return;
    }
    let Ok(inside) = TcpStream::connect(inner).await else { return };
    let ((from_outside, to_outside), (from_inside, to_inside)) = (outside.into_split(), inside.into_split());
    let passes_in = |way: &Way| *way == Way::Open;
    let passes_out = |way: &Way| matches!(*way, Way::Open | Way::Muted);
    // Both directions run to their ends: data that was sent arrives even if the sender is gone.
    let both = async {
        tokio::join!(
            copy(from_outside, to_inside, way.clone(), passes_in),
            copy(from_inside, to_outside, way.clone(), passes_out),
        )
    };
    let mut cut = way.clone();
    tokio::select! {
        _ = both => {}
        _ = cut.wait_for(|way| *way == Way::Cut) => {}
        _ = broken.changed() => {}
    }
}

async fn copy(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut way: watch::Receiver<Way>,
    passes: impl Fn(&Way) -> bool,
) {
    let mut buffer = vec![0; 16 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        if way.wait_for(&passes).await.is_err() || to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
    // The other direction goes on when this one ends, as it may still carry an answer.
    std::future::pending::<()>().await;
}
