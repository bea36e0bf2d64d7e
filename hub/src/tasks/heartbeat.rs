//! One timer for all connections: pings those that heard nothing for a while, lets those go that said nothing for too long,
//! did not shake hands in time, or may not stay any longer.

use std::sync::Arc;
use std::time::Duration;

use signalr::handshake::HandshakeError;

use crate::admission::Connections;
use crate::config::Timing;
use crate::outbox::{Ending, Outbox};
use crate::session::Sessions;

/// Between two looks: what is late by less than that does not matter to anyone.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after the connections as long as the hub runs.
pub(super) async fn run(connections: Arc<Connections>, sessions: Arc<Sessions>, timing: Timing) {
    let interval = INTERVAL.min(timing.shortest() / 4);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        sessions.sweep();
        for outbox in connections.outboxes() {
            look(&outbox, &timing);
        }
    }
}

fn look(outbox: &Arc<Outbox>, timing: &Timing) {
    let pulse = &outbox.pulse;
    if !pulse.is_shaken() {
        if pulse.age() >= timing.handshake {
            outbox.end(Ending::Handshake(HandshakeError::Timeout));
        }
        return;
    }
    if pulse.has_expired() {
        outbox.end(Ending::Expired);
    } else if pulse.silence() >= timing.silence {
        outbox.end(Ending::Silent);
    } else if pulse.quiet() >= timing.ping {
        // Also where nothing is written to now, as between two polls: one is enough there.
        pulse.said();
        outbox.push(outbox.encoding().ping());
    }
}
