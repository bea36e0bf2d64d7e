//! Puts the parts of a hub together.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::admission::{Connections, Listeners};
use crate::audiences::{Audiences, Errands, Questions};
use crate::backplane::memory::Memory;
use crate::backplane::{Backplane, Inbound, redis};
use crate::canary::{Beat, Canary};
use crate::chat::ChatServices;
use crate::config::{Config, Timing, VERSION};
use crate::connection::{ConnectionLimits, ConnectionServices, Runner};
use crate::guards::{Guards, Jwt, PerAddress};
use crate::handover::Handover;
use crate::metrics::{Metrics, Scrape};
use crate::outbox::Limits;
use crate::rooms::{Home, Rooms};
use crate::session::Sessions;
use crate::token::{Owner, Signer};
use crate::topics::{Change, Changes};

/// The parts of a hub, for the few that bring them together: requests, background work and the end.
#[derive(Debug)]
pub struct Hub {
    pod: String,
    /// How long things take.
    pub(crate) timing: Timing,
    /// The most bytes of one record of a client.
    pub(crate) most_message_bytes: usize,
    /// Whose pages get in, and with which token.
    pub(crate) guards: Arc<Guards>,
    /// Signs connection tokens.
    pub(crate) signer: Arc<Signer>,
    /// This hub, in connection tokens.
    pub(crate) owner: Owner,
    /// Registry of open connections.
    pub(crate) connections: Arc<Connections>,
    /// Registry of connections that outlive a request.
    pub(crate) sessions: Arc<Sessions>,
    /// Registry of rooms and their members on this hub.
    pub(crate) rooms: Arc<Rooms>,
    /// Registry of connections that are spoken to outside of rooms.
    pub(crate) audiences: Arc<Audiences>,
    /// All hubs, as far as they were heard.
    pub(crate) canary: Arc<Canary>,
    /// The way to the other hubs.
    pub(crate) backplane: Arc<Backplane>,
    /// Begins conversations.
    pub(crate) runner: Arc<Runner>,
    /// Moves connections from hub to hub.
    pub(crate) handover: Arc<Handover>,
    /// Counters.
    pub metrics: Arc<Metrics>,
}

impl Hub {
    /// Builds a hub that clients reach at `port` and that starts to connect to its backplane. The second value gives the
    /// requests of other hubs, for a task to answer. Needs a Tokio runtime.
    pub fn build(config: &Config, port: u16) -> (Self, Errands) {
        let number: u32 = rand::random();
        let instance = format!("{number:08x}");
        let pod = config.pod.clone();
        let settings = config.settings;
        let metrics = Arc::<Metrics>::default();
        let canary = Arc::new(canary(&pod, &instance));
        let (changes, receiver) = Changes::new();
        let home =
            Home { pod: pod.as_str().into(), instance: instance.clone(), history: settings.history.messages };
        let rooms = Arc::new(Rooms::new(home, changes.clone(), Arc::clone(&metrics)));
        let (questions, errands) = Questions::new(&instance, config.timing.answer);
        let questions = Arc::new(questions);
        let audiences = Arc::new(Audiences::new(
            &instance,
            Arc::clone(&questions),
            changes.clone(),
            Arc::clone(&metrics),
        ));
        let inbound = Inbound {
            rooms: Arc::clone(&rooms),
            audiences: Arc::clone(&audiences),
            canary: Arc::clone(&canary),
            metrics: Arc::clone(&metrics),
        };
        let backplane = Arc::new(backplane(config, &instance, inbound, (changes, receiver)));
        let listeners = Arc::new(Listeners::start(Limits::default(), &metrics));
        let connections = Arc::new(Connections::new(
            settings.most_connections,
            PerAddress::new(settings.connections_per_second_per_address),
            Arc::clone(&listeners),
            Arc::clone(&metrics),
        ));
        let sessions = Arc::<Sessions>::default();
        let chat = Arc::new(ChatServices {
            pod: pod.clone(),
            instance,
            most_rooms: settings.most_rooms,
            rooms: Arc::clone(&rooms),
            audiences: Arc::clone(&audiences),
            questions: Arc::clone(&questions),
            backplane: Arc::clone(&backplane),
            listeners: Arc::clone(&listeners),
            metrics: Arc::clone(&metrics),
        });
        let services = Arc::new(ConnectionServices {
            pod: pod.clone(),
            backplane: backplane.kind(),
            limits: ConnectionLimits {
                most_message_bytes: settings.most_message_bytes,
                messages_per_second: settings.messages_per_second,
                generic_api: settings.generic_api,
            },
            chat,
            questions: Arc::clone(&questions),
            listeners,
            metrics: Arc::clone(&metrics),
        });
        let runner = Arc::new(Runner {
            services,
            sessions: Arc::clone(&sessions),
            stateful_buffer_bytes: settings.stateful_buffer_bytes,
            linger: config.timing.linger,
        });
        let handover = Arc::new(Handover {
            backplane: Arc::clone(&backplane),
            canary: Arc::clone(&canary),
            sessions: Arc::clone(&sessions),
            audiences: Arc::clone(&audiences),
            questions,
            rooms: Arc::clone(&rooms),
            runner: Arc::clone(&runner),
            metrics: Arc::clone(&metrics),
            departures: TaskTracker::new(),
        });
        let signer = config.token_key.as_ref().map_or_else(Signer::alone, |key| Signer::new(key.bytes()));
        let hub = Self {
            pod,
            timing: config.timing,
            most_message_bytes: settings.most_message_bytes,
            guards: Arc::new(Guards {
                origins: config.origins.clone(),
                jwt: config.jwt.clone().map(Jwt::new),
            }),
            signer: Arc::new(signer),
            owner: Owner { address: config.reached_at(port), instance: number },
            connections,
            sessions,
            rooms,
            audiences,
            canary,
            backplane,
            runner,
            handover,
            metrics,
        };
        (hub, errands)
    }

    /// Whether clients should come here.
    ///
    /// # Errors
    /// Why not, in one line.
    pub fn ready(&self) -> Result<(), String> {
        if self.connections.is_draining() {
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
}

/// The record of all hubs' beats, of which this one sends its own.
fn canary(pod: &str, instance: &str) -> Canary {
    Canary::new(Beat {
        pod: pod.to_owned(),
        instance: instance.to_owned(),
        version: VERSION.into(),
        connections: 0,
        leaving: false,
    })
}

/// Redis, if one is given; otherwise this process alone.
fn backplane(
    config: &Config,
    instance: &str,
    inbound: Inbound,
    changes: (Changes, mpsc::UnboundedReceiver<Change>),
) -> Backplane {
    let history = config.settings.history;
    let Some(server) = &config.redis else {
        return Backplane::Memory(Memory::new(inbound, instance, history));
    };
    let identity = redis::Identity {
        pod: config.pod.clone(),
        instance: instance.to_owned(),
        key: config.event_key.clone(),
    };
    Backplane::Redis(redis::start(server.clone(), identity, history, inbound, changes))
}
