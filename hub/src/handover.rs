//! A connection with stateful reconnect goes on at another hub: when its own one ends, or can no longer be reached.
//!
//! Its WebSocket is cut without a word of SignalR, so the client opens another one at once, as it does when the network fails. The
//! hub where that comes in claims the connection on the backplane. Whichever has it says what it hears, so that the claiming hub can
//! subscribe to that, and then to cut: Redis brings all that is said to both hubs in one order, and the cut with it, so that what
//! comes before it is told by the one, and what comes after by the other, and nothing is lost or doubled. Then the connection is given away:
//! rooms with the last message of each, groups, what is not confirmed. What was said in the rooms between the two is in their histories.

use std::sync::Arc;

use futures::future::join_all;
use tokio_util::task::TaskTracker;

use crate::admission::Admission;
use crate::audiences::{Audiences, ClientResults};
use crate::backplane::Backplane;
use crate::connection::Runner;
use crate::metrics::Metrics;
use crate::peers::Peers;
use crate::protocol::methods::PublishError;
use crate::protocol::peer_messages::{HandoverClaim, PeerReply, ReplyOutcome};
use crate::rooms::Rooms;
use crate::session::{Found, Session, Sessions};
use crate::token::ConnectionId;
use crate::topics::Topic;

/// See the module.
#[derive(Debug)]
pub struct Handover {
    /// The way to the other hubs.
    pub backplane: Arc<Backplane>,
    /// The other hubs, as far as they were heard.
    pub peers: Arc<Peers>,
    /// Registry of connections that outlive a request.
    pub sessions: Arc<Sessions>,
    /// Registry of connections that are spoken to outside of rooms.
    pub audiences: Arc<Audiences>,
    /// Registry of requests that wait for a reply of other hubs.
    pub client_results: Arc<ClientResults>,
    /// Registry of rooms and their members on this hub.
    pub rooms: Arc<Rooms>,
    /// Goes on with connections that come here.
    pub runner: Arc<Runner>,
    /// Counters.
    pub metrics: Arc<Metrics>,
    /// Connections on their way to other hubs.
    pub outgoing: TaskTracker,
}

impl Handover {
    /// Whether connections can move at all.
    pub fn is_possible(&self) -> bool {
        matches!(*self.backplane, Backplane::Redis(_))
    }

    /// Whether there is another hub that could go on with this one's connections.
    pub fn has_peers(&self) -> bool {
        self.is_possible() && self.peers.instances().len() > 1
    }

    /// The session of a connection that can move.
    fn movable(&self, id: ConnectionId) -> Option<Arc<Session>> {
        let Found::Live(session) = self.sessions.find(id) else { return None };
        (session.stateful.is_some() && session.outbox.activity.is_handshaken()).then_some(session)
    }

    async fn reply(&self, request_id: &str, outcome: ReplyOutcome) -> Result<(), PublishError> {
        let Some((instance, _)) = request_id.split_once('-') else { return Ok(()) };
        let reply = PeerReply { request_id: request_id.into(), instance: None, outcome }.json();
        self.backplane.publish_and_wait(Topic::Hub(instance.into()), reply).await
    }

    /// Says what a connection hears, if it is here.
    pub(crate) async fn show_subscriptions(self: Arc<Self>, id: ConnectionId, request_id: String) {
        let Some(session) = self.movable(id) else { return };
        // It may be busy.
        if self.reply(&request_id, ReplyOutcome::Delivered).await.is_ok()
            && let Some(subscriptions) = session.subscriptions().await
        {
            // Who asked gives up in time.
            let _ = self.reply(&request_id, ReplyOutcome::Subscriptions(Box::new(subscriptions))).await;
        }
    }

    /// Gives a connection away, if it is here. Its client is told nothing any more of what is said.
    pub(crate) async fn hand_over(self: Arc<Self>, id: ConnectionId, request_id: String) {
        let Some(session) = self.movable(id) else { return };
        let Some(key) = self.audiences.key_of(&id.to_string()) else { return };
        if let Some(state) = session.hand_over().await {
            let rooms: Vec<_> = state.rooms.iter().map(|room| room.room.clone()).collect();
            match self.reply(&request_id, ReplyOutcome::State(Box::new(state))).await {
                Ok(()) => {
                    self.metrics.moved_away.inc();
                }
                Err(error) => tracing::warn!(%error, "a connection was lost on its way to another hub"),
            }
            join_all(rooms.iter().map(|room| self.rooms.finish_handover(room, key))).await;
        }
    }

    /// Goes on with a connection of another hub; `None`: no hub has it.
    pub(crate) async fn take_over(&self, admission: Admission) -> Option<Arc<Session>> {
        if !self.is_possible() {
            return None;
        }
        let mut pending = self.client_results.register(admission.key).ok()?;
        let (id, request_id) = (admission.id.to_string(), pending.id());
        let claim = |cut| {
            HandoverClaim { connection: id.as_str().into(), request_id: request_id.as_str().into(), cut }
                .json()
        };
        self.backplane.publish_and_wait(Topic::All, claim(false)).await.ok()?;
        let subscriptions = pending.subscriptions().await?;
        if subscriptions.user.as_deref() != admission.identity.user.as_deref() {
            // Its token is another user's.
            return None;
        }
        let mut connection = self.runner.connection(admission);
        connection.prepare_take_over(subscriptions).await;
        self.backplane.publish_and_wait(Topic::All, claim(true)).await.ok()?;
        let state = pending.state().await?;
        self.metrics.moved_here.inc();
        self.runner.take_over(connection, state).await
    }
}
