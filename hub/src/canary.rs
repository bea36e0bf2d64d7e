//! Beats that every pod sends through the backplane, to know that messages do get through: a connection that
//! answers pings but delivers nothing is not ready.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};

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
    /// The pod ends now, and its absence means nothing.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub leaving: bool,
}

/// The beats that this pod heard.
#[derive(Debug)]
pub struct Canary {
    own: Beat,
    heard: Mutex<HashMap<String, (String, Instant)>>,
}

impl Canary {
    /// For the pod that sends `own`.
    pub fn new(own: Beat) -> Self {
        Self { own, heard: Mutex::default() }
    }

    /// The beat to send.
    pub fn beat(&self) -> String {
        json(&self.own)
    }

    /// The last beat to send.
    pub fn farewell(&self) -> String {
        json(&Beat { leaving: true, ..self.own.clone() })
    }

    /// Notes a beat, and says whether it was one.
    pub fn hear(&self, payload: &[u8], now: Instant) -> bool {
        let Ok(beat) = serde_json::from_slice::<Beat>(payload) else { return false };
        let mut heard = self.lock();
        if beat.leaving {
            heard.remove(&beat.instance);
        } else if heard.len() < MOST_PEERS || heard.contains_key(&beat.instance) {
            heard.insert(beat.instance, (beat.pod, now));
        }
        true
    }

    /// How long ago this pod heard itself, if ever.
    pub fn own_age(&self, now: Instant) -> Option<Duration> {
        self.lock().get(&self.own.instance).map(|(_, at)| now.saturating_duration_since(*at))
    }

    /// Each pod that was heard in the last minute, and how long ago, by name.
    pub fn ages(&self, now: Instant) -> Vec<(String, Duration)> {
        let mut heard = self.lock();
        heard.retain(|_, (_, at)| now.saturating_duration_since(*at) < FORGOTTEN);
        let mut ages = HashMap::<&str, Duration>::new();
        for (pod, at) in heard.values() {
            // A pod that was restarted under its name counts from its latest beat.
            let age = now.saturating_duration_since(*at);
            ages.entry(pod).and_modify(|least| *least = age.min(*least)).or_insert(age);
        }
        let mut ages: Vec<_> = ages.into_iter().map(|(pod, age)| (pod.to_owned(), age)).collect();
        ages.sort();
        ages
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<String, (String, Instant)>> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn json(beat: &Beat) -> String {
    serde_json::to_string(beat).expect("a beat always has a JSON form")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canary(pod: &str, instance: &str) -> Canary {
        Canary::new(Beat { pod: pod.into(), instance: instance.into(), version: "1".into(), leaving: false })
    }

    #[test]
    fn the_age_counts_from_the_last_beat() {
        let (a, b) = (canary("a", "1"), canary("b", "2"));
        let start = Instant::now();

        a.hear(b.beat().as_bytes(), start);
        a.hear(a.beat().as_bytes(), start + INTERVAL);

        let now = start + INTERVAL * 3;
        assert_eq!(a.own_age(now), Some(INTERVAL * 2));
        assert_eq!(a.ages(now), vec![("a".into(), INTERVAL * 2), ("b".into(), INTERVAL * 3)]);
    }

    #[test]
    fn two_processes_of_one_name_do_not_take_each_other_for_themselves() {
        let (a, namesake) = (canary("laptop", "1"), canary("laptop", "2"));

        a.hear(namesake.beat().as_bytes(), Instant::now());

        assert_eq!(a.own_age(Instant::now()), None);
    }

    #[test]
    fn a_peer_that_leaves_or_stays_silent_is_forgotten() {
        let (a, b, c) = (canary("a", "1"), canary("b", "2"), canary("c", "3"));
        let start = Instant::now();
        a.hear(b.beat().as_bytes(), start);
        a.hear(c.beat().as_bytes(), start);

        a.hear(b.farewell().as_bytes(), start);
        assert_eq!(a.ages(start), vec![("c".into(), Duration::ZERO)]);
        assert_eq!(a.ages(start + FORGOTTEN), vec![]);
    }

    #[test]
    fn what_is_no_beat_is_not_noted() {
        assert!(!canary("a", "1").hear(b"{}", Instant::now()));
    }
}
