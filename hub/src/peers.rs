//! Heartbeats that every hub publishes on the backplane. A hub that receives its own ones knows that messages
//! get through: a Redis connection that answers pings but delivers nothing is not ready.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// The time between two heartbeats of a hub.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// The age of this hub's own last heartbeat from which on the backplane counts as not delivering, and the age
/// of a peer's last heartbeat from which on the peer counts as gone.
pub const STALE: Duration = Duration::from_secs(5);

/// The age of a peer's last heartbeat from which on the peer is forgotten: it ended without saying so.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// The most peers that are remembered, so that a foreign sender cannot exhaust the memory.
const MOST_PEERS: usize = 10_000;

/// A heartbeat: the description that a hub publishes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The pod.
    pub pod: String,
    /// The process, for two hubs on one machine have the same hostname.
    pub instance: String,
    /// The hub's version.
    pub version: String,
    /// The number of the hub's connections.
    #[serde(default)]
    pub connections: u64,
    /// True in the last heartbeat: the hub is shutting down, so its later silence is expected.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// The heartbeats of all hubs. The own ones are a self-probe of the backplane.
#[derive(Debug)]
pub struct Peers {
    own: Heartbeat,
    by_instance: Mutex<HashMap<String, Peer>>,
}

#[derive(Debug)]
struct Peer {
    pod: String,
    at: Instant,
    connections: u64,
    /// True if the peer counts as gone, because it was silent for longer than [`STALE`].
    is_gone: bool,
}

/// The news in a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNews {
    /// The hub is alive.
    Alive,
    /// A hub that counted as gone is alive.
    Back,
    /// A hub is shutting down; its instance.
    Leaving(String),
}

impl Peers {
    /// The registry of the hub whose heartbeat is `own`.
    pub fn new(own: Heartbeat) -> Self {
        Self { own, by_instance: Mutex::default() }
    }

    /// The next heartbeat of this hub, with its number of connections.
    pub fn heartbeat(&self, connections: u64) -> String {
        json(&Heartbeat { connections, ..self.own.clone() })
    }

    /// The last heartbeat of this hub, which tells the others that it is shutting down.
    pub fn last_heartbeat(&self) -> String {
        json(&Heartbeat { leaving: true, ..self.own.clone() })
    }

    /// Records a heartbeat; `None` if the payload is not a heartbeat.
    pub fn receive(&self, payload: &[u8], now: Instant) -> Option<PeerNews> {
        let heartbeat = serde_json::from_slice::<Heartbeat>(payload).ok()?;
        let mut peers = self.lock();
        if heartbeat.leaving {
            peers.remove(&heartbeat.instance);
            return Some(PeerNews::Leaving(heartbeat.instance));
        }
        if let Some(peer) = peers.get_mut(&heartbeat.instance) {
            peer.at = now;
            peer.connections = heartbeat.connections;
            return Some(if std::mem::take(&mut peer.is_gone) { PeerNews::Back } else { PeerNews::Alive });
        }
        if peers.len() < MOST_PEERS {
            peers.insert(
                heartbeat.instance,
                Peer { pod: heartbeat.pod, at: now, connections: heartbeat.connections, is_gone: false },
            );
        }
        Some(PeerNews::Alive)
    }

    /// The instances of hubs that have fallen silent since the last call. It is empty while this hub does not
    /// receive its own heartbeats either, because the others' silence then means nothing.
    pub fn newly_silent(&self, now: Instant) -> Vec<String> {
        if self.own_heartbeat_age(now).is_none_or(|age| age > 2 * INTERVAL) {
            return Vec::new();
        }
        let mut peers = self.lock();
        let fell_silent = |peer: &Peer| !peer.is_gone && now.saturating_duration_since(peer.at) > STALE;
        let silent = peers.iter_mut().filter(|(_, peer)| fell_silent(peer));
        silent
            .map(|(instance, peer)| {
                peer.is_gone = true;
                instance.clone()
            })
            .collect()
    }

    /// The instances of the hubs that count as alive, this one included.
    pub fn instances(&self) -> HashSet<String> {
        let peers = self.lock();
        peers.iter().filter(|(_, peer)| !peer.is_gone).map(|(instance, _)| instance.clone()).collect()
    }

    /// The number of connections of each hub with a recent heartbeat, this one included.
    pub fn connections(&self, now: Instant) -> Vec<u64> {
        let peers = self.lock();
        let is_there = |peer: &&Peer| now.saturating_duration_since(peer.at) < STALE;
        peers.values().filter(is_there).map(|peer| peer.connections).collect()
    }

    /// Starts the silence of all peers now: no heartbeats could be received before, so their absence means
    /// nothing.
    pub fn resume(&self, now: Instant) {
        for (instance, peer) in &mut *self.lock() {
            if *instance != self.own.instance {
                peer.at = now;
            }
        }
    }

    /// The age of this hub's own last heartbeat, if it has ever received one.
    pub fn own_heartbeat_age(&self, now: Instant) -> Option<Duration> {
        self.lock().get(&self.own.instance).map(|peer| now.saturating_duration_since(peer.at))
    }

    /// The name of each pod with a heartbeat in the last minute, and the age of its last heartbeat, sorted by
    /// name.
    pub fn heartbeat_ages(&self, now: Instant) -> Vec<(String, Duration)> {
        let mut peers = self.lock();
        peers.retain(|_, peer| now.saturating_duration_since(peer.at) < FORGOTTEN);
        let mut ages = HashMap::<&str, Duration>::new();
        for Peer { pod, at, .. } in peers.values() {
            // A pod that was restarted under its name counts from its latest heartbeat.
            let age = now.saturating_duration_since(*at);
            ages.entry(pod).and_modify(|least| *least = age.min(*least)).or_insert(age);
        }
        let mut ages: Vec<_> = ages.into_iter().map(|(pod, age)| (pod.to_owned(), age)).collect();
        ages.sort();
        ages
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Peer>> {
        lock(&self.by_instance)
    }
}

fn json(heartbeat: &Heartbeat) -> String {
    serde_json::to_string(heartbeat).expect("a heartbeat always has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peers(pod: &str, instance: &str) -> Peers {
        Peers::new(Heartbeat {
            pod: pod.into(),
            instance: instance.into(),
            version: "1".into(),
            connections: 0,
            leaving: false,
        })
    }

    #[test]
    fn the_age_counts_from_the_last_heartbeat() {
        let (a, b) = (peers("a", "1"), peers("b", "2"));
        let start = Instant::now();

        a.receive(b.heartbeat(0).as_bytes(), start);
        a.receive(a.heartbeat(0).as_bytes(), start + INTERVAL);

        let now = start + INTERVAL * 3;
        assert_eq!(a.own_heartbeat_age(now), Some(INTERVAL * 2));
        assert_eq!(a.heartbeat_ages(now), vec![("a".into(), INTERVAL * 2), ("b".into(), INTERVAL * 3)]);
    }

    #[test]
    fn two_processes_of_one_name_do_not_mistake_each_other_for_themselves() {
        let (a, namesake) = (peers("laptop", "1"), peers("laptop", "2"));

        a.receive(namesake.heartbeat(0).as_bytes(), Instant::now());

        assert_eq!(a.own_heartbeat_age(Instant::now()), None);
    }

    #[test]
    fn a_peer_that_leaves_or_stays_silent_is_forgotten() {
        let (a, b, c) = (peers("a", "1"), peers("b", "2"), peers("c", "3"));
        let start = Instant::now();
        a.receive(b.heartbeat(0).as_bytes(), start);
        a.receive(c.heartbeat(0).as_bytes(), start);

        a.receive(b.last_heartbeat().as_bytes(), start);
        assert_eq!(a.heartbeat_ages(start), vec![("c".into(), Duration::ZERO)]);
        assert_eq!(a.heartbeat_ages(start + FORGOTTEN), vec![]);
    }

    #[test]
    fn a_payload_that_is_no_heartbeat_is_ignored() {
        assert_eq!(peers("a", "1").receive(b"{}", Instant::now()), None);
    }

    #[test]
    fn a_peer_that_falls_silent_is_reported_once_and_again_when_it_is_back() {
        let (a, b) = (peers("a", "1"), peers("b", "2"));
        let start = Instant::now();
        a.receive(b.heartbeat(0).as_bytes(), start);
        let later = start + STALE + INTERVAL;
        assert_eq!(a.newly_silent(later), [""; 0], "this pod hears nothing, not even itself");

        a.receive(a.heartbeat(0).as_bytes(), later);
        assert_eq!(a.newly_silent(later), ["2"]);
        assert_eq!(a.newly_silent(later), [""; 0]);
        assert_eq!(a.receive(b.heartbeat(0).as_bytes(), later), Some(PeerNews::Back));
        assert_eq!(a.receive(b.heartbeat(0).as_bytes(), later), Some(PeerNews::Alive));
        assert_eq!(a.receive(b.last_heartbeat().as_bytes(), later), Some(PeerNews::Leaving("2".into())));
    }

    #[test]
    fn a_peer_is_not_silent_because_this_hub_was_disconnected() {
        let (a, b) = (peers("a", "1"), peers("b", "2"));
        let start = Instant::now();
        a.receive(b.heartbeat(0).as_bytes(), start);

        a.resume(start + STALE * 2);
        a.receive(a.heartbeat(0).as_bytes(), start + STALE * 2);

        assert_eq!(a.newly_silent(start + STALE * 2), [""; 0]);
    }
}
