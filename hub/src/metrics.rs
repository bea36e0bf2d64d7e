//! Counters, and their text for Prometheus.

use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};

/// A number that only matters to who reads the metrics, so it is kept without ordering.
#[derive(Debug, Default)]
pub struct Number(AtomicU64);

impl Number {
    /// Adds to it.
    pub fn add(&self, n: u64) {
        self.0.fetch_add(n, Ordering::Relaxed);
    }

    /// Takes from it.
    pub fn subtract(&self, n: u64) {
        self.0.fetch_sub(n, Ordering::Relaxed);
    }

    /// Replaces it.
    pub fn set(&self, n: u64) {
        self.0.store(n, Ordering::Relaxed);
    }

    /// What it is now.
    pub fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// What the hub counts.
#[derive(Debug, Default)]
pub struct Metrics {
    /// Open connections.
    pub connections: Number,
    /// Connections that were not let in.
    pub refused_connections: Number,
    /// Requests passed on to the hub whose connection they are for.
    pub passed_on: Number,
    /// Records from clients.
    pub records_in: Number,
    /// Messages that clients sent to rooms and the backplane stored.
    pub published: Number,
    /// Messages that clients sent to rooms and the backplane did not take.
    pub not_published: Number,
    /// Messages for rooms that came from the backplane.
    pub heard: Number,
    /// Messages that clients sent again, and that were not stored again.
    pub repeated: Number,
    /// Messages from the backplane that were delivered before.
    pub doubled: Number,
    /// Times that the history of a room was read from the backplane.
    pub catch_ups: Number,
    /// Times that messages of a room were lost to its members here.
    pub gaps: Number,
    /// What came from the backplane and was no message of a hub.
    pub not_understood: Number,
    /// Messages queued for a member, once per member.
    pub deliveries: Number,
    /// Connections that another hub went on with.
    pub moved_away: Number,
    /// Connections of other hubs that this one went on with.
    pub moved_here: Number,
    /// Calls of a client's method by another one that were answered with a result.
    pub answered: Number,
    /// Such calls that were answered with an error, or not in time.
    pub not_answered: Number,
    /// Connections closed because their client read too slowly.
    pub slow_consumers: Number,
    /// 1 while subscribed on the backplane.
    pub backplane_connected: Number,
    /// Times the backplane was connected again after it was lost.
    pub backplane_reconnects: Number,
}

/// What is read anew for each scrape.
#[derive(Debug)]
pub struct Scrape<'a> {
    /// The hub's version.
    pub version: &'a str,
    /// `redis` or `memory`.
    pub backplane: &'a str,
    /// The hub pod.
    pub pod: &'a str,
    /// Rooms with a member here.
    pub rooms: usize,
    /// Members of these rooms on other pods.
    pub members_elsewhere: usize,
    /// Each pod that was heard on the backplane, this one included, and the age of its last beat in seconds.
    pub canaries: Vec<(String, f64)>,
}

impl Metrics {
    /// What goes on between clients, and between hubs.
    fn across(&self) -> [(&'static str, &'static str, u64); 4] {
        [
            ("client_results_total", "Answers of clients to each other.", self.answered.get()),
            (
                "client_results_failed_total",
                "Calls of clients by each other that gave an error, or nothing in time.",
                self.not_answered.get(),
            ),
            ("moved_away_total", "Connections that another hub went on with.", self.moved_away.get()),
            ("moved_here_total", "Connections of others that this one went on with.", self.moved_here.get()),
        ]
    }

    /// Everything, in the text format of Prometheus (version 0.0.4).
    pub fn text(&self, scrape: &Scrape) -> String {
        let mut text = String::with_capacity(4096);
        let mut one = |name: &str, kind: &str, help: &str, value: u64| {
            head(&mut text, name, kind, help);
            let _ = writeln!(text, "chatcluster_hub_{name} {value}");
        };
        one("connections", "gauge", "Open connections.", self.connections.get());
        one("rooms", "gauge", "Rooms with a member on this pod.", scrape.rooms as u64);
        one(
            "members_elsewhere",
            "gauge",
            "Members of these rooms on other pods.",
            scrape.members_elsewhere as u64,
        );
        one(
            "connections_refused_total",
            "counter",
            "Connections beyond what this hub takes, at once or in a second from one address.",
            self.refused_connections.get(),
        );
        one(
            "requests_passed_on_total",
            "counter",
            "Requests passed on to the hub whose connection they are for.",
            self.passed_on.get(),
        );
        one("records_received_total", "counter", "Records from clients.", self.records_in.get());
        one(
            "messages_published_total",
            "counter",
            "Messages from clients that were stored for their rooms.",
            self.published.get(),
        );
        one(
            "messages_not_published_total",
            "counter",
            "Messages from clients to rooms that the backplane did not take.",
            self.not_published.get(),
        );
        one("messages_heard_total", "counter", "Messages for rooms from the backplane.", self.heard.get());
        one(
            "messages_repeated_total",
            "counter",
            "Messages that clients sent again and that were not stored again.",
            self.repeated.get(),
        );
        one(
            "messages_doubled_total",
            "counter",
            "Messages from the backplane that were delivered before.",
            self.doubled.get(),
        );
        one(
            "catch_ups_total",
            "counter",
            "Histories of rooms that were read from the backplane.",
            self.catch_ups.get(),
        );
        one(
            "gaps_total",
            "counter",
            "Times that messages of a room were lost to its members here.",
            self.gaps.get(),
        );
        one(
            "messages_not_understood_total",
            "counter",
            "What came from the backplane and is no message of a hub.",
            self.not_understood.get(),
        );
        one("deliveries_total", "counter", "Messages queued, once per member.", self.deliveries.get());
        one(
            "slow_consumers_total",
            "counter",
            "Connections closed because their client read too slowly.",
            self.slow_consumers.get(),
        );
        one(
            "backplane_connected",
            "gauge",
            "1 while subscribed on the backplane.",
            self.backplane_connected.get(),
        );
        one(
            "backplane_reconnects_total",
            "counter",
            "Times the backplane was connected again after it was lost.",
            self.backplane_reconnects.get(),
        );
        for (name, help, value) in self.across() {
            one(name, "counter", help, value);
        }
        labelled(&mut text, scrape);
        text
    }
}

/// What has labels.
fn labelled(text: &mut String, scrape: &Scrape) {
    head(text, "canary_age_seconds", "gauge", "Age of the last beat heard, per peer pod.");
    for (peer, age) in &scrape.canaries {
        let _ = writeln!(text, "chatcluster_hub_canary_age_seconds{{peer=\"{}\"}} {age:.3}", label(peer));
    }
    head(text, "build_info", "gauge", "Always 1; the labels say what runs.");
    let (version, backplane, pod) = (scrape.version, scrape.backplane, label(scrape.pod));
    let _ = writeln!(
        text,
        "chatcluster_hub_build_info{{version=\"{version}\",backplane=\"{backplane}\",pod=\"{pod}\"}} 1"
    );
}

fn head(text: &mut String, name: &str, kind: &str, help: &str) {
    let _ = writeln!(text, "# HELP chatcluster_hub_{name} {help}\n# TYPE chatcluster_hub_{name} {kind}");
}

/// A label's value, with what would end it escaped.
fn label(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_a_comment_or_a_sample() {
        let metrics = Metrics::default();
        metrics.deliveries.add(3);

        let text = metrics.text(&Scrape {
            version: "1.2.3",
            backplane: "redis",
            pod: "hub-0",
            rooms: 2,
            members_elsewhere: 5,
            canaries: vec![("hub-0".into(), 0.25), ("a\"b".into(), 1.0)],
        });

        assert!(text.contains("\nchatcluster_hub_deliveries_total 3\n"));
        assert!(text.contains("\nchatcluster_hub_rooms 2\n"));
        assert!(text.contains("\nchatcluster_hub_canary_age_seconds{peer=\"hub-0\"} 0.250\n"));
        assert!(text.contains("\nchatcluster_hub_canary_age_seconds{peer=\"a\\\"b\"} 1.000\n"));
        assert!(text.contains("_build_info{version=\"1.2.3\",backplane=\"redis\",pod=\"hub-0\"} 1\n"));
        for line in text.lines().filter(|line| !line.starts_with("# ")) {
            let (name, value) = line.rsplit_once(' ').unwrap();
            assert!(name.starts_with("chatcluster_hub_"), "{line}");
            assert!(value.parse::<f64>().is_ok(), "{line}");
        }
    }
}
