//! One timer for all connections. It pings clients to which nothing was sent for a while, and ends
//! connections whose client sent nothing for too long, did not complete its handshake in time, or has a token
//! that expired.

use std::sync::Arc;
use std::time::Duration;

use signalr::handshake::HandshakeError;

use crate::admission::Connections;
use crate::config::Timeouts;
use crate::outbox::{CloseReason, Outbox};
use crate::session::Sessions;

/// The interval between two checks. A delay of less than that does not matter to any client.
const INTERVAL: Duration = Duration::from_secs(1);

/// Checks the connections as long as the hub runs.
pub(super) async fn run(connections: Arc<Connections>, sessions: Arc<Sessions>, timeouts: Timeouts) {
    let interval = INTERVAL.min(timeouts.shortest() / 4);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.sweep();
        for outbox in connections.outboxes() {
            check(&outbox, &timeouts);
        }
    }
}

fn check(outbox: &Arc<Outbox>, timeouts: &Timeouts) {
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
        // The ping counts as sent even if nothing is written now, as between two polls: one ping is enough
        // there.
        activity.sent_now();
        outbox.push(outbox.encoding().ping());
    }
}
