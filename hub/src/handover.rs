//! Moves a connection with stateful reconnect to another hub, when its own hub ends or can no longer be
//! reached.
//!
//! The connection's WebSocket is closed without a SignalR message, so the client opens another one at once,
//! as it does when the network fails. The hub at which that WebSocket arrives claims the connection on the
//! backplane. The hub that has the connection replies with its subscriptions, so that the claiming hub can
//! subscribe to the same topics, and then publish the cut. Redis delivers all messages, and the cut among
//! them, to both hubs in one order: one hub delivers the messages before the cut, the other one those after
//! it, and none is lost or delivered twice. Then the connection's state is handed over: its rooms with the
//! last message of each, its groups, and the messages that the client has not acknowledged. Messages that are
//! sent in the rooms in between are in the rooms' histories.

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

/// Hands connections over to other hubs, and takes them over from other hubs.
#[derive(Debug)]
pub struct Handover {
    /// The backplane, which carries claims and replies.
    pub backplane: Arc<Backplane>,
    /// Registry of the hubs whose heartbeats are received.
    pub peers: Arc<Peers>,
    /// Registry of connections that outlive a request.
    pub sessions: Arc<Sessions>,
    /// Registry of connections as they are addressed outside of rooms.
    pub audiences: Arc<Audiences>,
    /// Registry of requests that wait for replies of other hubs.
    pub client_results: Arc<ClientResults>,
    /// Registry of rooms and their members on this hub.
    pub rooms: Arc<Rooms>,
    /// Runs the connections that are taken over.
    pub runner: Arc<Runner>,
    /// The hub's metrics.
    pub metrics: Arc<Metrics>,
    /// The tasks that hand connections over to other hubs.
    pub outgoing: TaskTracker,
}

impl Handover {
    /// True if connections can move between hubs, for which they need Redis.
    pub fn is_possible(&self) -> bool {
        matches!(*self.backplane, Backplane::Redis(_))
    }

    /// True if there is another hub that could take over this one's connections.
    pub fn has_peers(&self) -> bool {
        self.is_possible() && self.peers.instances().len() > 1
    }

    /// The session of a connection, if the connection is here and can move.
    fn movable(&self, id: ConnectionId) -> Option<Arc<Session>> {
        let Found::Live(session) = self.sessions.find(id) else { return None };
        (session.stateful.is_some() && session.outbox.activity.is_handshaken()).then_some(session)
    }

    async fn reply(&self, request_id: &str, outcome: ReplyOutcome) -> Result<(), PublishError> {
        let Some((instance, _)) = request_id.split_once('-') else { return Ok(()) };
        let reply = PeerReply { request_id: request_id.into(), instance: None, outcome }.json();
        self.backplane.publish_and_wait(Topic::Hub(instance.into()), reply).await
    }

    /// Replies to a claim with the subscriptions of a connection, if it is here.
    pub(crate) async fn show_subscriptions(self: Arc<Self>, id: ConnectionId, request_id: String) {
        let Some(session) = self.movable(id) else { return };
        // The connection may be busy, so the claiming hub is told at once that it is here.
        if self.reply(&request_id, ReplyOutcome::Delivered).await.is_ok()
            && let Some(subscriptions) = session.subscriptions().await
        {
            // If this reply is lost, the claiming hub gives up after its timeout.
            let _ = self.reply(&request_id, ReplyOutcome::Subscriptions(Box::new(subscriptions))).await;
        }
    }

    /// Hands a connection over, if it is here. From then on, this hub delivers nothing to its client.
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

    /// Takes a connection over from another hub; `None` if no hub hands it over.
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
            // The connection belongs to another user.
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
