//! Assembles the parts of a hub.

use std::sync::Arc;
use std::time::Instant;

use tokio::sync::mpsc;
use tokio_util::task::TaskTracker;

use crate::admission::{Connections, OutboxFactory};
use crate::audiences::{Audiences, ClientResults, PeerActions};
use crate::backplane::memory::Memory;
use crate::backplane::{Backplane, Dispatcher, redis};
use crate::chat::ChatServices;
use crate::config::{Config, Timeouts, VERSION};
use crate::connection::{ConnectionLimits, ConnectionServices, Runner};
use crate::guards::{Guards, Jwt, PerAddress};
use crate::handover::Handover;
use crate::metrics::{Metrics, Scrape};
use crate::outbox::Limits;
use crate::peers::{Heartbeat, Peers};
use crate::rooms::{LocalHub, Rooms};
use crate::session::Sessions;
use crate::token::{Owner, Signer};
use crate::topics::{SubscriptionChange, SubscriptionChanges};

/// The parts of a hub, for the modules that bring them together: requests, background tasks and shutdown.
#[derive(Debug)]
pub struct Hub {
    pod: String,
    /// The hub's timeouts.
    pub(crate) timeouts: Timeouts,
    /// The most bytes of one record from a client.
    pub(crate) most_message_bytes: usize,
    /// Checks the origins and tokens of clients.
    pub(crate) guards: Arc<Guards>,
    /// Signs connection tokens.
    pub(crate) signer: Arc<Signer>,
    /// This hub, as connection tokens name it.
    pub(crate) owner: Owner,
    /// Registry of open connections.
    pub(crate) connections: Arc<Connections>,
    /// Registry of connections that outlive a request.
    pub(crate) sessions: Arc<Sessions>,
    /// Registry of rooms and their members on this hub.
    pub(crate) rooms: Arc<Rooms>,
    /// Registry of connections as they are addressed outside of rooms.
    pub(crate) audiences: Arc<Audiences>,
    /// Registry of all hubs' heartbeats.
    pub(crate) peers: Arc<Peers>,
    /// The connection to the other hubs, and the store of messages.
    pub(crate) backplane: Arc<Backplane>,
    /// Begins connections.
    pub(crate) runner: Arc<Runner>,
    /// Moves connections from hub to hub.
    pub(crate) handover: Arc<Handover>,
    /// The hub's metrics.
    pub metrics: Arc<Metrics>,
}

impl Hub {
    /// Builds a hub that clients reach at `port`, and starts to connect to its backplane. The second value
    /// yields the actions that requests of other hubs call for; a task has to carry them out. Needs a Tokio
    /// runtime.
    pub fn build(config: &Config, port: u16) -> (Self, PeerActions) {
        let number: u32 = rand::random();
        let instance = format!("{number:08x}");
        let pod = config.pod.clone();
        let settings = config.settings;
        let metrics = Arc::<Metrics>::default();
        let peers = Arc::new(peers(&pod, &instance));
        let (changes, receiver) = SubscriptionChanges::new();
        let local_hub = LocalHub {
            pod: pod.as_str().into(),
            instance: instance.clone(),
            history: settings.history.messages,
        };
        let rooms = Arc::new(Rooms::new(local_hub, changes.clone(), Arc::clone(&metrics)));
        let (client_results, peer_actions) = ClientResults::new(&instance, config.timeouts.client_result);
        let client_results = Arc::new(client_results);
        let audiences = Arc::new(Audiences::new(
            &instance,
            Arc::clone(&client_results),
            changes.clone(),
            Arc::clone(&metrics),
        ));
        let dispatcher = Dispatcher {
            rooms: Arc::clone(&rooms),
            audiences: Arc::clone(&audiences),
            peers: Arc::clone(&peers),
            metrics: Arc::clone(&metrics),
        };
        let backplane = Arc::new(backplane(config, &instance, dispatcher, (changes, receiver)));
        let outbox_factory = Arc::new(OutboxFactory::start(Limits::default(), &metrics));
        let connections = Arc::new(Connections::new(
            settings.most_connections,
            PerAddress::new(settings.connections_per_second_per_address),
            Arc::clone(&outbox_factory),
            Arc::clone(&metrics),
        ));
        let sessions = Arc::<Sessions>::default();
        let chat = Arc::new(ChatServices {
            pod: pod.clone(),
            instance,
            most_rooms: settings.most_rooms,
            rooms: Arc::clone(&rooms),
            audiences: Arc::clone(&audiences),
            client_results: Arc::clone(&client_results),
            backplane: Arc::clone(&backplane),
            outbox_factory: Arc::clone(&outbox_factory),
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
            client_results: Arc::clone(&client_results),
            outbox_factory,
            metrics: Arc::clone(&metrics),
        });
        let runner = Arc::new(Runner {
            services,
            sessions: Arc::clone(&sessions),
            stateful_buffer_bytes: settings.stateful_buffer_bytes,
            linger: config.timeouts.linger,
        });
        let handover = Arc::new(Handover {
            backplane: Arc::clone(&backplane),
            peers: Arc::clone(&peers),
            sessions: Arc::clone(&sessions),
            audiences: Arc::clone(&audiences),
            client_results,
            rooms: Arc::clone(&rooms),
            runner: Arc::clone(&runner),
            metrics: Arc::clone(&metrics),
            outgoing: TaskTracker::new(),
        });
        let signer = config.token_key.as_ref().map_or_else(Signer::alone, |key| Signer::new(key.bytes()));
        let hub = Self {
            pod,
            timeouts: config.timeouts,
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
            peers,
            backplane,
            runner,
            handover,
            metrics,
        };
        (hub, peer_actions)
    }

    /// Checks if clients should be sent to this hub.
    ///
    /// # Errors
    /// The reason why not, in one line.
    pub fn ready(&self) -> Result<(), String> {
        if self.connections.is_draining() {
            return Err("shutting down".into());
        }
        self.backplane.ready(&self.peers)
    }

    /// The metrics, as text.
    pub fn scrape(&self) -> String {
        let ages = self.peers.heartbeat_ages(Instant::now());
        self.metrics.text(&Scrape {
            version: VERSION,
            backplane: self.backplane.kind(),
            pod: &self.pod,
            rooms: self.rooms.count(),
            members_elsewhere: self.rooms.remote_members(),
            canaries: ages.into_iter().map(|(pod, age)| (pod, age.as_secs_f64())).collect(),
        })
    }
}

/// The registry of all hubs' heartbeats, with the heartbeat that this hub sends.
fn peers(pod: &str, instance: &str) -> Peers {
    Peers::new(Heartbeat {
        pod: pod.to_owned(),
        instance: instance.to_owned(),
        version: VERSION.into(),
        connections: 0,
        leaving: false,
    })
}

/// Redis, if it is configured; otherwise the memory of this process.
fn backplane(
    config: &Config,
    instance: &str,
    dispatcher: Dispatcher,
    changes: (SubscriptionChanges, mpsc::UnboundedReceiver<SubscriptionChange>),
) -> Backplane {
    let history = config.settings.history;
    let Some(server) = &config.redis else {
        return Backplane::Memory(Memory::new(dispatcher, instance, history));
    };
    let identity = redis::HubIdentity {
        pod: config.pod.clone(),
        instance: instance.to_owned(),
        event_key: config.event_key.clone(),
    };
    Backplane::Redis(redis::start(server.clone(), identity, history, dispatcher, changes))
}
