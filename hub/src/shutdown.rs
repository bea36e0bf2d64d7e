//! How the hub ends: it lets its clients go one by one, so that the other pods do not get all of them at once.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rand::seq::SliceRandom;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::time::{Instant, sleep, timeout_at};

use crate::hub::Hub;
use crate::outbox::{CloseReason, Outbox};

/// What is left of the grace period when the last client should be gone.
const MARGIN: Duration = Duration::from_secs(2);

/// The signals that ask the hub to end; none is missed from the moment this exists.
#[derive(Debug)]
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// # Errors
    /// When the system does not let us listen for them.
    pub fn listen() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for one, and gives its name.
    pub async fn next(&mut self) -> &'static str {
        tokio::select! {
            _ = self.terminate.recv() => "SIGTERM",
            _ = self.interrupt.recv() => "SIGINT",
        }
    }
}

/// For clients with stateful reconnect to come to another hub, which goes on with their connections.
const MOVE: Duration = Duration::from_secs(5);

/// Lets all clients go, evenly and in random order, and waits for them, but not beyond the grace period. Those with stateful
/// reconnect are not told: their WebSocket is cut, and their connection goes on where the next one comes in.
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
    for (gone, outbox) in outboxes.into_iter().enumerate() {
        // Thousands of clients go a few at a time: sleeps are no finer than a millisecond.
        let due = start + spread.mul_f64(share(gone, count));
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
        let _ = timeout_at(deadline.min(Instant::now() + MOVE.min(grace / 4)), hub.connections.empty()).await;
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

/// `part` of `whole`, between 0 and 1.
fn share(part: usize, whole: usize) -> f64 {
    let number = |n: usize| f64::from(u32::try_from(n).unwrap_or(u32::MAX));
    number(part) / number(whole.max(1))
}
