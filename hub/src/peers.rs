//! Heartbeats that every hub sends through the backplane, to know that messages do get through: a connection that
//! answers pings but delivers nothing is not ready.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// How often each pod sends one.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// A pod that received no heartbeat of its own for so long does not hear messages either.
pub const STALE: Duration = Duration::from_secs(5);

/// A peer that was silent for so long is forgotten: it ended without a last heartbeat.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// The most peers that are remembered, so that a foreign sender cannot fill the memory.
const MOST_PEERS: usize = 10_000;

/// A heartbeat: the description that a hub publishes of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heartbeat {
    /// The pod.
    pub pod: String,
    /// The process: two hubs on one laptop have the same hostname.
    pub instance: String,
    /// The hub's version.
    pub version: String,
    /// How many clients it has.
    #[serde(default)]
    pub connections: u64,
    /// The pod ends now, and its absence means nothing.
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
    /// It was taken for gone.
    is_gone: bool,
}

/// The news in a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PeerNews {
    /// A pod is there.
    Alive,
    /// A pod that was taken for gone is there.
    Back,
    /// A process ends.
    Leaving(String),
}

impl Peers {
    /// For the pod that sends `own`.
    pub fn new(own: Heartbeat) -> Self {
        Self { own, by_instance: Mutex::default() }
    }

    /// The heartbeat to send, of a pod with so many connections.
    pub fn heartbeat(&self, connections: u64) -> String {
        json(&Heartbeat { connections, ..self.own.clone() })
    }

    /// The last heartbeat of this hub, which tells the others that it leaves.
    pub fn last_heartbeat(&self) -> String {
        json(&Heartbeat { leaving: true, ..self.own.clone() })
    }

    /// Notes a heartbeat; `None` if the payload is none.
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

    /// The processes that have fallen silent since this was last asked. While this pod does not hear itself, it cannot tell.
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

    /// The processes that are there.
    pub fn instances(&self) -> HashSet<String> {
        let peers = self.lock();
        peers.iter().filter(|(_, peer)| !peer.is_gone).map(|(instance, _)| instance.clone()).collect()
    }

    /// How many clients each pod has that was heard lately, this one included.
    pub fn connections(&self, now: Instant) -> Vec<u64> {
        let peers = self.lock();
        let is_there = |peer: &&Peer| now.saturating_duration_since(peer.at) < STALE;
        peers.values().filter(is_there).map(|peer| peer.connections).collect()
    }

    /// Nothing could be heard until now, and that means nothing.
    pub fn resume(&self, now: Instant) {
        for (instance, peer) in &mut *self.lock() {
            if *instance != self.own.instance {
                peer.at = now;
            }
        }
    }

    /// How long ago this pod heard itself, if ever.
    pub fn own_heartbeat_age(&self, now: Instant) -> Option<Duration> {
        self.lock().get(&self.own.instance).map(|peer| now.saturating_duration_since(peer.at))
    }

    /// Each pod that was heard in the last minute, and how long ago, by name.
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
    fn the_age_counts_from_the_last_beat() {
        let (a, b) = (peers("a", "1"), peers("b", "2"));
        let start = Instant::now();

        a.receive(b.heartbeat(0).as_bytes(), start);
        a.receive(a.heartbeat(0).as_bytes(), start + INTERVAL);

        let now = start + INTERVAL * 3;
        assert_eq!(a.own_heartbeat_age(now), Some(INTERVAL * 2));
        assert_eq!(a.heartbeat_ages(now), vec![("a".into(), INTERVAL * 2), ("b".into(), INTERVAL * 3)]);
    }

    #[test]
    fn two_processes_of_one_name_do_not_take_each_other_for_themselves() {
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
    fn what_is_no_beat_is_not_noted() {
        assert_eq!(peers("a", "1").receive(b"{}", Instant::now()), None);
    }

    #[test]
    fn a_peer_that_falls_silent_is_told_of_once_and_again_when_it_is_back() {
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
    fn a_silence_that_was_this_pod_s_own_is_no_peer_s() {
        let (a, b) = (peers("a", "1"), peers("b", "2"));
        let start = Instant::now();
        a.receive(b.heartbeat(0).as_bytes(), start);

        a.resume(start + STALE * 2);
        a.receive(a.heartbeat(0).as_bytes(), start + STALE * 2);

        assert_eq!(a.newly_silent(start + STALE * 2), [""; 0]);
    }
}
