//! The hub's metrics: its counters, gauges and histograms, and their text for Prometheus.
//!
//! A metric is declared in one place, the list of [`Metrics`]: its field's name is its name after
//! `chatcluster_hub_`, and its field's documentation is its help text. The encoder appends `_total` to the
//! names of counters. The few values that are only read for a scrape are in [`Scrape`]. Labels have few
//! values by design: none is the name of a room, a user or a connection. A test holds docs/hub.md to all of
//! it.
//!
//! Counters and gauges are atomics: cheap enough for the path of each message and each recipient. A histogram
//! takes a lock, so it is observed once per message or per batch, and never once per recipient.

mod reasons;

use std::sync::atomic::AtomicU64;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::{encode, encode_registry};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::{self, ConstGauge};
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Metric, Registry};

use self::reasons::{Disconnect, FailedCall, Reason};
use crate::outbox::CloseReason;
use crate::protocol::methods::CallError;

pub use self::reasons::RefusedRequest;

/// The media type of [`Metrics::text`].
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The first part of each metric's name.
const PREFIX: &str = "chatcluster_hub";

/// The upper bounds of a histogram's buckets, in seconds: from a message for a small room on an idle hub to a
/// backplane that does not answer.
const SECONDS: [f64; 16] =
    [0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0];

/// A metric that can also fall.
pub type Gauge = gauge::Gauge<u64, AtomicU64>;

/// A type of metric that can be created without any values.
trait Kind: Metric + Clone {
    fn new() -> Self;
}

impl Kind for Counter {
    fn new() -> Self {
        Self::default()
    }
}

impl Kind for Gauge {
    fn new() -> Self {
        Self::default()
    }
}

impl Kind for Histogram {
    fn new() -> Self {
        Self::new(SECONDS)
    }
}

/// A counter for each reason. All exist from the start, because a rate over a series that begins at 1 misses
/// its first event.
impl<R: Reason> Kind for Family<R, Counter> {
    fn new() -> Self {
        let family = Self::default();
        for reason in R::ALL {
            drop(family.get_or_create(reason));
        }
        family
    }
}

/// Creates and registers a metric.
fn register<M: Kind>(registry: &mut Registry, name: &str, documentation: &str) -> M {
    let metric = M::new();
    registry.register(name, help(documentation), metric.clone());
    metric
}

/// The help text of a metric, without the full stop, which the encoder appends.
fn help(documentation: &str) -> &str {
    documentation.trim().trim_end_matches('.')
}

/// Declares the struct, and registers each of its fields under the field's name, with the field's
/// documentation as help.
macro_rules! metrics {
    (
        $(#[$about:meta])*
        pub struct $name:ident {
            $($(#[doc = $documentation:literal])+ $visibility:vis $metric:ident: $kind:ty,)+
        }
    ) => {
        $(#[$about])*
        #[derive(Debug)]
        pub struct $name {
            $($(#[doc = $documentation])+ $visibility $metric: $kind,)+
            registry: Registry,
        }

        impl Default for $name {
            fn default() -> Self {
                let mut registry = Registry::with_prefix(PREFIX);
                Self {
                    $($metric: register(&mut registry, stringify!($metric), concat!($($documentation),+)),)+
                    registry,
                }
            }
        }
    };
}

metrics! {
    /// The hub's metrics since the process started.
    pub struct Metrics {
        /// Open connections.
        pub connections: Gauge,
        /// Connections refused, because the hub has too many, or one address opened too many in a second.
        pub connections_refused: Counter,
        /// Requests of clients that were refused, by reason.
        requests_refused: Family<RefusedRequest, Counter>,
        /// Requests passed on to the hub that has their connection.
        pub requests_passed_on: Counter,
        /// Connections that ended, by reason.
        disconnects: Family<Disconnect, Counter>,
        /// Records from clients.
        pub records_received: Counter,
        /// Invocations by clients that failed, by reason; also those without a completion.
        calls_failed: Family<FailedCall, Counter>,
        /// Messages from clients that were stored for their rooms.
        pub messages_published: Counter,
        /// Messages from clients to rooms that the backplane did not take.
        pub messages_not_published: Counter,
        /// Messages for rooms received from the backplane.
        pub messages_heard: Counter,
        /// Messages that clients sent again and that were not stored again.
        pub messages_repeated: Counter,
        /// Messages from the backplane that had been delivered already.
        pub messages_doubled: Counter,
        /// Payloads from the backplane that are not messages of a hub.
        pub messages_not_understood: Counter,
        /// Histories of rooms that were read from the backplane.
        pub catch_ups: Counter,
        /// Times that messages of a room were lost to its members on this hub.
        pub gaps: Counter,
        /// Messages queued, once per member.
        pub deliveries: Counter,
        /// Connections closed because their client read too slowly.
        pub slow_consumers: Counter,
        /// 1 while the hub is subscribed on the backplane.
        pub backplane_connected: Gauge,
        /// Times that the backplane was connected again after a loss.
        pub backplane_reconnects: Counter,
        /// Results of clients for invocations by other clients.
        pub client_results: Counter,
        /// Invocations of clients by other clients that failed, or were not answered in time.
        pub client_results_failed: Counter,
        /// Connections that were handed over to another hub.
        pub moved_away: Counter,
        /// Connections that were taken over from another hub.
        pub moved_here: Counter,
        /// Time from when a client's message to a room is accepted until the backplane confirms that it is
        /// stored; messages that were not stored are left out.
        pub message_store_seconds: Histogram,
        /// Time from when a room's message is received from the backplane until it is queued for each member
        /// on this pod; messages that a catch-up brings are left out.
        pub message_delivery_seconds: Histogram,
        /// Time from when the first connection of a batch has something to be written until the whole batch
        /// is written, as far as the sockets take it; observed once per batch, without connections by other
        /// transports or with stateful reconnect.
        pub flush_seconds: Histogram,
        /// Time from when a catch-up begins, after a join, a gap or a reconnect and perhaps with many rooms,
        /// until the history of a room is read and queued for its members on this pod; observed once per
        /// history.
        pub catch_up_seconds: Histogram,
    }
}

/// Values that are read when the metrics are scraped.
#[derive(Debug)]
pub struct Scrape<'a> {
    /// The hub's version.
    pub version: &'a str,
    /// `redis` or `memory`.
    pub backplane: &'a str,
    /// The hub pod.
    pub pod: &'a str,
    /// The number of rooms with a member on this pod.
    pub rooms: usize,
    /// The number of members of these rooms on other pods.
    pub members_elsewhere: usize,
    /// Each pod whose heartbeats are received, this one included, and the age of its last heartbeat in
    /// seconds.
    pub canaries: Vec<(String, f64)>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Peer {
    peer: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Build {
    version: String,
    backplane: String,
    pod: String,
}

impl Metrics {
    /// Counts a connection that ended.
    pub fn disconnected(&self, reason: &CloseReason) {
        self.disconnects.get_or_create(&reason.into()).inc();
    }

    /// Counts a request of a client that was refused.
    pub fn refused(&self, reason: RefusedRequest) {
        self.requests_refused.get_or_create(&reason).inc();
    }

    /// Counts a call of a client that failed.
    pub fn call_failed(&self, error: &CallError) {
        self.calls_failed.get_or_create(&error.into()).inc();
    }

    /// All metrics, as `OpenMetrics` text. See <https://prometheus.io/docs/specs/om/open_metrics_spec/>.
    pub fn text(&self, scrape: &Scrape) -> String {
        let mut text = String::with_capacity(16 * 1024);
        // Writing to a String cannot fail.
        let _ = encode_registry(&mut text, &self.registry);
        let _ = encode(&mut text, &scrape.registry());
        text
    }
}

impl Scrape<'_> {
    fn registry(&self) -> Registry {
        let mut registry = Registry::with_prefix(PREFIX);
        registry.register("rooms", "Rooms with a member on this pod", ConstGauge::new(self.rooms));
        registry.register(
            "members_elsewhere",
            "Members of these rooms on other pods",
            ConstGauge::new(self.members_elsewhere),
        );
        let ages = Family::<Peer, gauge::Gauge<f64, AtomicU64>>::default();
        for (peer, age) in &self.canaries {
            let milliseconds = (age * 1e3).round();
            ages.get_or_create(&Peer { peer: peer.clone() }).set(milliseconds / 1e3);
        }
        registry.register("canary_age_seconds", "Age of the last heartbeat received, by peer pod", ages);
        let [version, backplane, pod] = [self.version, self.backplane, self.pod].map(str::to_owned);
        let build = Family::<Build, Gauge>::default();
        build.get_or_create(&Build { version, backplane, pod }).set(1);
        registry.register("build_info", "Always 1; the labels say what runs", build);
        registry
    }
}

#[cfg(test)]
mod tests;
