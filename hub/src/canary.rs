//! Beats that every pod sends through the backplane, to know that messages do get through: a connection that
//! answers pings but delivers nothing is not ready.

use std::collections::{HashMap, HashSet};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

use crate::sync::lock;

/// How often each pod sends one.
pub const INTERVAL: Duration = Duration::from_secs(1);

/// A pod that heard no beat of its own for so long does not hear messages either.
pub const STALE: Duration = Duration::from_secs(5);

/// A peer that was silent for so long is forgotten: it ended without a farewell.
const FORGOTTEN: Duration = Duration::from_mins(1);

/// The most peers that are remembered, so that a foreign sender cannot fill the memory.
const MOST_PEERS: usize = 10_000;

/// What a pod says of itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Beat {
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

/// The beats that this pod heard.
#[derive(Debug)]
pub struct Canary {
    own: Beat,
    heard: Mutex<HashMap<String, Peer>>,
}

#[derive(Debug)]
struct Peer {
    pod: String,
    at: Instant,
    connections: u64,
    /// It was taken for gone.
    is_gone: bool,
}

/// What a beat says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    /// A pod is there.
    There,
    /// A pod that was taken for gone is there.
    Back,
    /// A process ends.
    Leaves(String),
}

impl Canary {
    /// For the pod that sends `own`.
    pub fn new(own: Beat) -> Self {
        Self { own, heard: Mutex::default() }
    }

    /// The beat to send, of a pod with so many clients.
    pub fn beat(&self, connections: u64) -> String {
        json(&Beat { connections, ..self.own.clone() })
    }

    /// The last beat to send.
    pub fn farewell(&self) -> String {
        json(&Beat { leaving: true, ..self.own.clone() })
    }

    /// Notes a beat; `None` if it is none.
    pub fn hear(&self, payload: &[u8], now: Instant) -> Option<Heard> {
        let beat = serde_json::from_slice::<Beat>(payload).ok()?;
        let mut heard = self.lock();
        if beat.leaving {
            heard.remove(&beat.instance);
            return Some(Heard::Leaves(beat.instance));
        }
        if let Some(peer) = heard.get_mut(&beat.instance) {
            peer.at = now;
            peer.connections = beat.connections;
            return Some(if std::mem::take(&mut peer.is_gone) { Heard::Back } else { Heard::There });
        }
        if heard.len() < MOST_PEERS {
            heard.insert(
                beat.instance,
                Peer { pod: beat.pod, at: now, connections: beat.connections, is_gone: false },
            );
        }
        Some(Heard::There)
    }

    /// The processes that have fallen silent since this was last asked. While this pod does not hear itself, it cannot tell.
    pub fn silent(&self, now: Instant) -> Vec<String> {
        if self.own_age(now).is_none_or(|age| age > 2 * INTERVAL) {
            return Vec::new();
        }
        let mut heard = self.lock();
        let fell_silent = |peer: &Peer| !peer.is_gone && now.saturating_duration_since(peer.at) > STALE;
        let silent = heard.iter_mut().filter(|(_, peer)| fell_silent(peer));
        silent
            .map(|(instance, peer)| {
                peer.is_gone = true;
                instance.clone()
            })
            .collect()
    }

    /// The processes that are there.
    pub fn instances(&self) -> HashSet<String> {
        let heard = self.lock();
        heard.iter().filter(|(_, peer)| !peer.is_gone).map(|(instance, _)| instance.clone()).collect()
    }

    /// How many clients each pod has that was heard lately, this one included.
    pub fn connections(&self, now: Instant) -> Vec<u64> {
        let heard = self.lock();
        let is_there = |peer: &&Peer| now.saturating_duration_since(peer.at) < STALE;
        heard.values().filter(is_there).map(|peer| peer.connections).collect()
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
    pub fn own_age(&self, now: Instant) -> Option<Duration> {
        self.lock().get(&self.own.instance).map(|peer| now.saturating_duration_since(peer.at))
    }

    /// Each pod that was heard in the last minute, and how long ago, by name.
    pub fn ages(&self, now: Instant) -> Vec<(String, Duration)> {
        let mut heard = self.lock();
        heard.retain(|_, peer| now.saturating_duration_since(peer.at) < FORGOTTEN);
        let mut ages = HashMap::<&str, Duration>::new();
        for Peer { pod, at, .. } in heard.values() {
            // A pod that was restarted under its name counts from its latest beat.
            let age = now.saturating_duration_since(*at);
            ages.entry(pod).and_modify(|least| *least = age.min(*least)).or_insert(age);
        }
        let mut ages: Vec<_> = ages.into_iter().map(|(pod, age)| (pod.to_owned(), age)).collect();
        ages.sort();
        ages
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, Peer>> {
        lock(&self.heard)
    }
}

fn json(beat: &Beat) -> String {
    serde_json::to_string(beat).expect("a beat always has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(pod: &str, instance: &str) -> Canary {
        Canary::new(Beat {
            pod: pod.into(),
            instance: instance.into(),
            version: "1".into(),
            connections: 0,
            leaving: false,
        })
    }

    #[test]
    fn the_age_counts_from_the_last_beat() {
        let (a, b) = (canary("a", "1"), canary("b", "2"));
        let start = Instant::now();

        a.hear(b.beat(0).as_bytes(), start);
        a.hear(a.beat(0).as_bytes(), start + INTERVAL);

        let now = start + INTERVAL * 3;
        assert_eq!(a.own_age(now), Some(INTERVAL * 2));
        assert_eq!(a.ages(now), vec![("a".into(), INTERVAL * 2), ("b".into(), INTERVAL * 3)]);
    }

    #[test]
    fn two_processes_of_one_name_do_not_take_each_other_for_themselves() {
        let (a, namesake) = (canary("laptop", "1"), canary("laptop", "2"));

        a.hear(namesake.beat(0).as_bytes(), Instant::now());

        assert_eq!(a.own_age(Instant::now()), None);
    }

    #[test]
    fn a_peer_that_leaves_or_stays_silent_is_forgotten() {
        let (a, b, c) = (canary("a", "1"), canary("b", "2"), canary("c", "3"));
        let start = Instant::now();
        a.hear(b.beat(0).as_bytes(), start);
        a.hear(c.beat(0).as_bytes(), start);

        a.hear(b.farewell().as_bytes(), start);
        assert_eq!(a.ages(start), vec![("c".into(), Duration::ZERO)]);
        assert_eq!(a.ages(start + FORGOTTEN), vec![]);
    }

    #[test]
    fn what_is_no_beat_is_not_noted() {
        assert_eq!(canary("a", "1").hear(b"{}", Instant::now()), None);
    }

    #[test]
    fn a_peer_that_falls_silent_is_told_of_once_and_again_when_it_is_back() {
        let (a, b) = (canary("a", "1"), canary("b", "2"));
        let start = Instant::now();
        a.hear(b.beat(0).as_bytes(), start);
        let later = start + STALE + INTERVAL;
        assert_eq!(a.silent(later), [""; 0], "this pod hears nothing, not even itself");

        a.hear(a.beat(0).as_bytes(), later);
        assert_eq!(a.silent(later), ["2"]);
        assert_eq!(a.silent(later), [""; 0]);
        assert_eq!(a.hear(b.beat(0).as_bytes(), later), Some(Heard::Back));
        assert_eq!(a.hear(b.beat(0).as_bytes(), later), Some(Heard::There));
        assert_eq!(a.hear(b.farewell().as_bytes(), later), Some(Heard::Leaves("2".into())));
    }

    #[test]
    fn a_silence_that_was_this_pod_s_own_is_no_peer_s() {
        let (a, b) = (canary("a", "1"), canary("b", "2"));
        let start = Instant::now();
        a.hear(b.beat(0).as_bytes(), start);

        a.resume(start + STALE * 2);
        a.hear(a.beat(0).as_bytes(), start + STALE * 2);

        assert_eq!(a.silent(start + STALE * 2), [""; 0]);
    }
}
