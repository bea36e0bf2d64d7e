//! Background work: each task runs as long as the hub does.

mod keep_alive;
mod peer_updates;
mod rebalance;

use std::sync::Arc;

use crate::audiences::PeerActions;
use crate::hub::Hub;

/// Starts all tasks. With `rebalance`, a hub with far more clients than the others disconnects some of them.
/// Needs a Tokio runtime.
pub fn start(hub: &Hub, actions: PeerActions, rebalance: bool) {
    let (connections, sessions) = (Arc::clone(&hub.connections), Arc::clone(&hub.sessions));
    tokio::spawn(keep_alive::run(Arc::clone(&connections), sessions, hub.timeouts));
    tokio::spawn(peer_updates::announce_presence(Arc::clone(&hub.rooms), Arc::clone(&hub.backplane)));
    tokio::spawn(peer_updates::act(actions, Arc::clone(&hub.backplane), Arc::clone(&hub.handover)));
    if rebalance {
        let (backplane, peers) = (Arc::clone(&hub.backplane), Arc::clone(&hub.peers));
        tokio::spawn(self::rebalance::run(connections, backplane, peers, Arc::clone(&hub.metrics)));
    }
}
