//! One timer for all connections: pings those that heard nothing for a while, lets those go that said nothing for too long,
//! did not shake hands in time, or may not stay any longer.

use std::sync::Arc;
use std::time::Duration;

use signalr::handshake::HandshakeError;

use crate::admission::Connections;
use crate::config::Timeouts;
use crate::outbox::{CloseReason, Outbox};
use crate::session::Sessions;

/// Between two looks: what is late by less than that does not matter to anyone.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after the connections as long as the hub runs.
pub(super) async fn run(connections: Arc<Connections>, sessions: Arc<Sessions>, timeouts: Timeouts) {
    let interval = INTERVAL.min(timeouts.shortest() / 4);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.sweep();
        for outbox in connections.outboxes() {
            look(&outbox, &timeouts);
        }
    }
}

fn look(outbox: &Arc<Outbox>, timeouts: &Timeouts) {
    let activity = &outbox.activity;
    if !activity.is_handshaken() {
        if activity.age() >= timeouts.handshake {
            outbox.end(CloseReason::Handshake(HandshakeError::Timeout));
        }
        return;
    }
    if activity.has_expired() {
        outbox.end(CloseReason::Expired);
    } else if activity.since_received() >= timeouts.silence {
        outbox.end(CloseReason::Silent);
    } else if activity.since_sent() >= timeouts.ping {
        // Also where nothing is written to now, as between two polls: one is enough there.
        activity.sent_now();
        outbox.push(outbox.encoding().ping());
    }
}
