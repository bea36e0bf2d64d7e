//! What all connections share.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use tokio::sync::Notify;
use tokio_util::task::TaskTracker;

use crate::backplane::memory::Memory;
use crate::backplane::{Backplane, Changes, Inbound, redis};
use crate::canary::{Beat, Canary};
use crate::chat::{self, Audiences, Questions};
use crate::config::{Config, Settings};
use crate::ending::Ending;
use crate::flusher::Flusher;
use crate::guards::{Guards, Identity, Jwt, PerAddress, Refusal};
use crate::heartbeat;
use crate::metrics::{Metrics, Scrape};
use crate::outbox::{Limits, Outbox};
use crate::pulse::Pulse;
use crate::rebalance;
use crate::rooms::{ConnectionKey, Home, Rooms};
use crate::session::{Found, Sessions};
use crate::token::{ConnectionId, Owner, Signer};

/// The hub's version.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// How long things take at most. The defaults are those of ASP.NET Core.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    /// For the head of a request, and from there to the client's handshake.
    pub handshake: Duration,
    /// Between two pings of the hub.
    pub ping: Duration,
    /// Without a word from a client, before it is taken for gone; clients ping every 15 s.
    pub silence: Duration,
    /// For a client to take its last words and to close its side.
    pub linger: Duration,
    /// For a client to answer another one.
    pub answer: Duration,
    /// All clients of a hub that shuts down are let go within this time.
    pub drain: Duration,
}

impl Default for Timing {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(15),
            ping: Duration::from_secs(15),
            silence: Duration::from_secs(30),
            linger: Duration::from_secs(1),
            answer: Duration::from_secs(30),
            drain: Duration::from_secs(2),
        }
    }
}

impl Timing {
    /// The shortest of those that [`crate::heartbeat`] looks after.
    pub fn shortest(&self) -> Duration {
        self.handshake.min(self.ping).min(self.silence)
    }
}

/// See the module.
#[derive(Debug)]
pub struct Hub {
    /// The hub pod.
    pub pod: String,
    /// This process, in a few letters.
    pub instance: String,
    /// How long things take.
    pub timing: Timing,
    /// How much may wait for a client.
    pub limits: Limits,
    /// What is set.
    pub settings: Settings,
    /// Who gets in.
    pub guards: Guards,
    /// Signs connection tokens.
    pub signer: Signer,
    /// This hub, in connection tokens.
    pub owner: Owner,
    /// Connections that outlive a request.
    pub sessions: Sessions,
    /// Who is where.
    pub rooms: Arc<Rooms>,
    /// Who is spoken to outside of rooms.
    pub audiences: Arc<Audiences>,
    /// Who waits for a client's answer.
    pub questions: Arc<Questions>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// The beats.
    pub canary: Arc<Canary>,
    /// The way of the messages.
    pub backplane: Backplane,
    /// Connections on their way to other hubs.
    pub departures: TaskTracker,
    flusher: Arc<Flusher>,
    start: Instant,
    connections: Mutex<HashMap<ConnectionKey, Arc<Outbox>>>,
    none_left: Notify,
    draining: AtomicBool,
    last_key: AtomicU64,
}

impl Hub {
    /// A hub that starts to connect to its backplane, and that clients reach at `port`. Needs a Tokio runtime.
    pub fn start(config: &Config, port: u16) -> Arc<Self> {
        let number: u32 = rand::random();
        let instance = format!("{number:08x}");
        let beat = Beat {
            pod: config.pod.clone(),
            instance: instance.clone(),
            version: VERSION.into(),
            connections: 0,
            leaving: false,
        };
        let (changes, receiver) = Changes::new();
        let history = config.settings.history;
        let metrics = Arc::<Metrics>::default();
        let home =
            Home { pod: config.pod.as_str().into(), instance: instance.clone(), history: history.messages };
        let rooms = Arc::new(Rooms::new(home, changes.clone(), Arc::clone(&metrics)));
        let (questions, errands) = Questions::new(&instance, config.timing.answer);
        let questions = Arc::new(questions);
        let audiences = Arc::new(Audiences::new(
            &instance,
            Arc::clone(&questions),
            changes.clone(),
            Arc::clone(&metrics),
        ));
        let canary = Arc::new(Canary::new(beat));
        let inbound = Inbound {
            rooms: Arc::clone(&rooms),
            audiences: Arc::clone(&audiences),
            canary: Arc::clone(&canary),
            metrics: Arc::clone(&metrics),
        };
        let backplane = match &config.redis {
            Some(settings) => {
                let (pod, key) = (config.pod.clone(), config.event_key.clone());
                let identity = redis::Identity { pod, instance: instance.clone(), key };
                let changes = (changes, receiver);
                Backplane::Redis(redis::start(settings.clone(), identity, history, inbound, changes))
            }
            None => Backplane::Memory(Memory::new(inbound, &instance, history)),
        };
        let hub = Arc::new(Self {
            pod: config.pod.clone(),
            instance,
            timing: config.timing,
            limits: Limits::default(),
            settings: config.settings,
            guards: Guards {
                origins: config.origins.clone(),
                jwt: config.jwt.clone().map(Jwt::new),
                per_address: PerAddress::new(config.settings.connections_per_second_per_address),
            },
            signer: config.token_key.as_ref().map_or_else(Signer::alone, |key| Signer::new(key.bytes())),
            owner: Owner { address: config.reached_at(port), instance: number },
            sessions: Sessions::default(),
            departures: TaskTracker::new(),
            flusher: Flusher::start(&metrics.flush_seconds),
            start: Instant::now(),
            rooms,
            audiences,
            questions,
            metrics,
            canary,
            backplane,
            connections: Mutex::default(),
            none_left: Notify::new(),
            draining: AtomicBool::new(false),
            last_key: AtomicU64::new(0),
        });
        tokio::spawn(heartbeat::run(Arc::downgrade(&hub), hub.timing));
        tokio::spawn(chat::gossip(Arc::clone(&hub.rooms), Arc::downgrade(&hub)));
        tokio::spawn(chat::reply(errands, Arc::downgrade(&hub)));
        if config.rebalance {
            tokio::spawn(rebalance::run(Arc::downgrade(&hub)));
        }
        hub
    }

    /// Whether clients should come here.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn ready(&self) -> Result<(), String> {
        if self.is_draining() {
            return Err("shutting down".into());
        }
        self.backplane.ready(&self.canary)
    }

    /// The metrics, as text.
    pub fn scrape(&self) -> String {
        let ages = self.canary.ages(Instant::now());
        self.metrics.text(&Scrape {
            version: VERSION,
            backplane: self.backplane.kind(),
            pod: &self.pod,
            rooms: self.rooms.count(),
            members_elsewhere: self.rooms.known_elsewhere(),
            canaries: ages.into_iter().map(|(pod, age)| (pod, age.as_secs_f64())).collect(),
        })
    }

    /// Milliseconds since 1970.
    pub fn now_millis() -> u64 {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        u64::try_from(since.as_millis()).unwrap_or(u64::MAX)
    }

    /// Notes a connection until the result is dropped. While the hub shuts down, it is told so at once.
    ///
    /// # Errors
    /// [`Refusal::Full`] and [`Refusal::TooFast`].
    pub fn admit(
        self: &Arc<Self>,
        id: ConnectionId,
        identity: Identity,
        address: IpAddr,
    ) -> Result<Admission, Refusal> {
        let admitted = self.try_admit(id, identity, address);
        if admitted.is_err() {
            self.metrics.connections_refused.inc();
        }
        admitted
    }

    /// Someone of this hub's own who hears, such as a stream of a client: a key and a queue.
    pub fn listener(&self) -> (ConnectionKey, Arc<Outbox>) {
        let key = self.last_key.fetch_add(1, Ordering::Relaxed) + 1;
        (key, Arc::new(Outbox::new(self.limits, Arc::clone(&self.flusher), Pulse::new(self.start))))
    }

    fn try_admit(
        self: &Arc<Self>,
        id: ConnectionId,
        identity: Identity,
        address: IpAddr,
    ) -> Result<Admission, Refusal> {
        self.guards.admit(address)?;
        let key = self.last_key.fetch_add(1, Ordering::Relaxed) + 1;
        let pulse = Pulse::new(self.start);
        if let Some(time) = identity.expires_in {
            pulse.expires_in(time);
        }
        let outbox = Arc::new(Outbox::new(self.limits, Arc::clone(&self.flusher), pulse));
        let mut connections = self.lock();
        let most = self.settings.most_connections;
        if most > 0 && connections.len() >= most {
            return Err(Refusal::Full);
        }
        connections.insert(key, Arc::clone(&outbox));
        drop(connections);
        // After the insertion, so that either this or the drain sees the other.
        if self.is_draining() {
            outbox.end(Ending::Draining);
        }
        self.metrics.connections.inc();
        Ok(Admission { hub: Arc::clone(self), key, id, identity: Arc::new(identity), outbox })
    }

    /// Not ready from now on. Gives the connections that have to be let go.
    pub fn start_draining(&self) -> Vec<Arc<Outbox>> {
        self.draining.store(true, Ordering::SeqCst);
        self.outboxes()
    }

    /// Whether a connection is one of this hub's, and a client speaks over it.
    pub fn has(&self, id: ConnectionId) -> bool {
        matches!(self.sessions.find(id), Found::Live(_)) || self.audiences.is_here(&id.to_string())
    }

    /// Those of all connections.
    pub fn outboxes(&self) -> Vec<Arc<Outbox>> {
        self.lock().values().cloned().collect()
    }

    /// Waits until no connection is left.
    pub async fn empty(&self) {
        loop {
            let notified = self.none_left.notified();
            if self.lock().is_empty() {
                return;
            }
            notified.await;
        }
    }

    fn is_draining(&self) -> bool {
        self.draining.load(Ordering::SeqCst)
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, HashMap<ConnectionKey, Arc<Outbox>>> {
        self.connections.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that the hub knows of.
#[derive(Debug)]
pub struct Admission {
    /// The hub.
    pub hub: Arc<Hub>,
    /// The connection, in this process.
    pub key: ConnectionKey,
    /// The connection, for its client.
    pub id: ConnectionId,
    /// Whose it is.
    pub identity: Arc<Identity>,
    /// Its queue.
    pub outbox: Arc<Outbox>,
}

impl Drop for Admission {
    fn drop(&mut self) {
        let mut connections = self.hub.lock();
        connections.remove(&self.key);
        let none_left = connections.is_empty();
        drop(connections);
        // A connection without an ending never began: no other hub has handed it over.
        if let Some(ending) = self.outbox.ending() {
            self.hub.metrics.disconnected(&ending);
        }
        self.hub.metrics.connections.dec();
        if none_left {
            self.hub.none_left.notify_waiters();
        }
    }
}
