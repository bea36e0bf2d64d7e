//! Evens out the clients of all hubs. After a scale-up the new hubs have no clients, so hubs that have far
//! more than their share disconnect some, a few each second. A load balancer sends these clients to any hub;
//! if that is one with too many again, they are disconnected again, until the hubs are even.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::seq::IteratorRandom;

use crate::admission::Connections;
use crate::backplane::Backplane;
use crate::metrics::Metrics;
use crate::outbox::CloseReason;
use crate::peers::Peers;

/// The interval at which a hub compares itself with its peers.
const INTERVAL: Duration = Duration::from_secs(1);

/// The number of clients, beyond a fifth above the mean, that are not worth a reconnect.
const TOLERATED: u64 = 10;

/// Evens a hub out with its peers as long as it runs.
pub(super) async fn run(
    connections: Arc<Connections>,
    backplane: Arc<Backplane>,
    peers: Arc<Peers>,
    metrics: Arc<Metrics>,
) {
    let mut ticks = tokio::time::interval(INTERVAL);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        if connections.is_draining() || backplane.ready(&peers).is_err() {
            continue;
        }
        let surplus = surplus(metrics.connections.get(), &peers.connections(Instant::now()));
        disconnect(&connections, surplus);
    }
}

fn disconnect(connections: &Connections, surplus: u64) {
    let Ok(count @ 1..) = usize::try_from(surplus) else { return };
    tracing::info!(count, "letting clients go to hubs with fewer");
    for outbox in connections.outboxes().into_iter().choose_multiple(&mut rand::rng(), count) {
        outbox.end(CloseReason::Rebalanced);
    }
}

/// The number of clients that a hub with `own` clients disconnects now. `all` contains the number of clients
/// of each hub, this one included.
fn surplus(own: u64, all: &[u64]) -> u64 {
    let mean = all.iter().sum::<u64>() / (all.len() as u64).max(1);
    if own <= mean + mean / 5 + TOLERATED { 0 } else { (own - mean).min(own / 50 + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hub_with_far_more_clients_than_the_others_disconnects_a_few() {
        assert_eq!(surplus(0, &[]), 0);
        assert_eq!(surplus(1000, &[1000]), 0);
        assert_eq!(surplus(30, &[30, 10]), 0);
        assert_eq!(surplus(40, &[40, 0]), 1);
        assert_eq!(surplus(1000, &[1000, 0]), 21);
        assert_eq!(surplus(0, &[1000, 0]), 0);
    }
}
