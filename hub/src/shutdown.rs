//! Shuts the hub down. Its clients are disconnected one by one, so that the other pods do not get all of them
//! at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use crate::hub::Hub;
use crate::outbox::{CloseReason, Outbox};

/// The rest of the grace period after the time by which the last client should have disconnected.
const MARGIN: Duration = Duration::from_secs(2);

/// The signals that ask the hub to end. None is missed while this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens for the signals from now on.
    ///
    /// # Errors
    /// The system's error if it does not allow the process to handle the signals.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for a signal, and returns its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// The time for clients with stateful reconnect to reach another hub, which takes their connections over.
const TAKE_OVER: Duration = Duration::from_secs(5);

/// Disconnects all clients, evenly and in random order, and waits until their connections have ended, within
/// the grace period. Clients with stateful reconnect receive no message: their WebSocket is closed, and their
/// connection continues on the hub where the next one arrives.
pub async fn drain(hub: &Hub, grace: Duration) {
    let start = Instant::now();
    let deadline = start + grace.saturating_sub(MARGIN).max(grace / 2);
    let spread = hub.timeouts.drain.min(grace / 4);
    let mut outboxes = hub.connections.start_draining();
    let count = outboxes.len();
    let movable = if hub.handover.has_peers() { hub.sessions.movable() } else { Vec::new() };
    let address = |outbox: &Arc<Outbox>| Arc::as_ptr(outbox).addr();
    let movable: HashMap<_, _> =
        movable.into_iter().map(|session| (address(&session.outbox), session)).collect();
    tracing::info!(connections = count, "closing connections");
    outboxes.shuffle(&mut rand::rng());
    for (closed, outbox) in outboxes.into_iter().enumerate() {
        // Sleeps are no finer than a millisecond, so thousands of clients are disconnected a few at a time.
        let due = start + spread.mul_f64(share(closed, count));
        if due > Instant::now() + Duration::from_millis(1) {
            sleep(due - Instant::now()).await;
        }
        match movable.get(&address(&outbox)) {
            Some(session) => session.drop_socket().await,
            None => outbox.end(CloseReason::Draining),
        }
    }
    if !movable.is_empty() {
        drop(movable);
        let _ = timeout_at(deadline.min(Instant::now() + TAKE_OVER.min(grace / 4)), hub.connections.empty())
            .await;
        for outbox in hub.connections.outboxes() {
            outbox.end(CloseReason::Draining);
        }
    }
    if timeout_at(deadline, hub.connections.empty()).await.is_err() {
        tracing::warn!("some clients did not close in time");
    }
    hub.handover.outgoing.close();
    let _ = timeout_at(deadline, hub.handover.outgoing.wait()).await;
    hub.backplane.close().await;
}

/// The share of `part` in `whole`, between 0 and 1.
fn share(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}
