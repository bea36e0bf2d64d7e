//! One timer for all connections: pings those that heard nothing for a while, lets those go that said nothing for too long,
//! did not shake hands in time, or may not stay any longer.

use std::sync::{Arc, Weak};
use std::time::Duration;

use signalr::handshake::HandshakeError;

use crate::ending::Ending;
use crate::hub::{Hub, Timing};
use crate::outbox::Outbox;

/// Between two looks: what is late by less than that does not matter to anyone.
const INTERVAL: Duration = Duration::from_secs(1);

/// Looks after a hub as long as there is one.
pub async fn run(hub: Weak<Hub>, timing: Timing) {
    let interval = INTERVAL.min(timing.shortest() / 4);
    let mut ticks = tokio::time::interval(interval);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Some(hub) = hub.upgrade() else { return };
        hub.sessions.sweep();
        for outbox in hub.outboxes() {
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
