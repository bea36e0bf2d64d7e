//! After a scale-up the new hubs have no clients: hubs that have far more than their share let some go, a few each second.
//! A load balancer brings these to any hub; as long as that is one with too many, they are let go again, so the hubs even out.

use std::sync::Arc;
use std::time::{Duration, Instant};

use rand::seq::IteratorRandom;

use crate::admission::Connections;
use crate::backplane::Backplane;
use crate::metrics::Metrics;
use crate::outbox::CloseReason;
use crate::peers::Peers;

/// How often a hub compares itself with its peers.
const INTERVAL: Duration = Duration::from_secs(1);

/// Clients more than a fifth above the mean, and this many, are not worth a reconnect.
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
        let_go(&connections, surplus);
    }
}

fn let_go(connections: &Connections, surplus: u64) {
    let Ok(count @ 1..) = usize::try_from(surplus) else { return };
    tracing::info!(count, "letting clients go to hubs with fewer");
    for outbox in connections.outboxes().into_iter().choose_multiple(&mut rand::rng(), count) {
        outbox.end(CloseReason::Rebalanced);
    }
}

/// How many clients a hub with `own` lets go now, where `all` is what each hub has, this one included.
fn surplus(own: u64, all: &[u64]) -> u64 {
    let mean = all.iter().sum::<u64>() / (all.len() as u64).max(1);
    if own <= mean + mean / 5 + TOLERATED { 0 } else { (own - mean).min(own / 50 + 1) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_has_far_more_than_the_others_lets_a_few_go() {
        assert_eq!(surplus(0, &[]), 0);
        assert_eq!(surplus(1000, &[1000]), 0);
        assert_eq!(surplus(30, &[30, 10]), 0);
        assert_eq!(surplus(40, &[40, 0]), 1);
        assert_eq!(surplus(1000, &[1000, 0]), 21);
        assert_eq!(surplus(0, &[1000, 0]), 0);
    }
}
