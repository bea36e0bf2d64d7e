//! Background work: each task runs as long as the hub does.

mod heartbeat;
mod peers;
mod rebalance;

use std::sync::Arc;

use crate::audiences::Errands;
use crate::hub::Hub;

/// Starts all tasks. With `rebalance`, a hub with far more clients than the others lets some go.
/// Needs a Tokio runtime.
pub fn start(hub: &Hub, errands: Errands, rebalance: bool) {
    let (connections, sessions) = (Arc::clone(&hub.connections), Arc::clone(&hub.sessions));
    tokio::spawn(heartbeat::run(Arc::clone(&connections), sessions, hub.timing));
    tokio::spawn(peers::gossip(Arc::clone(&hub.rooms), Arc::clone(&hub.backplane)));
    tokio::spawn(peers::reply(errands, Arc::clone(&hub.backplane), Arc::clone(&hub.handover)));
    if rebalance {
        let (backplane, canary) = (Arc::clone(&hub.backplane), Arc::clone(&hub.canary));
        tokio::spawn(self::rebalance::run(connections, backplane, canary, Arc::clone(&hub.metrics)));
    }
}
