//! Registry of this hub's connections as they are addressed outside of rooms: all of them, those in a group,
//! and those of a user.

mod client_results;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use signalr::encoding::EncodedOnce;

pub use self::client_results::{ClientResults, PeerAction, PeerActions};
use crate::members::{ConnectionKey, Member, Members};
use crate::metrics::Metrics;
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::peer_messages::{HandoverClaim, PeerInvocation, PeerReply};
use crate::sync::{self, lock};
use crate::topics::{SubscriptionChanges, Topic};

/// Registry of this hub's connections as they are addressed outside of rooms.
#[derive(Debug)]
pub struct Audiences {
    instance: String,
    all: Mutex<AllConnections>,
    /// Connections in handover, to which the other hub delivers: connections that it has not handed over yet,
    /// and connections that this hub has handed over.
    in_handover: RwLock<HashSet<ConnectionKey>>,
    client_results: Arc<ClientResults>,
    by_topic: RwLock<HashMap<Topic, Arc<TopicMembers>>>,
    changes: SubscriptionChanges,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct AllConnections {
    members: Members,
    by_id: HashMap<Box<str>, ConnectionKey>,
}

#[derive(Debug, Default)]
struct TopicMembers(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    members: Members,
    /// True once the last member has left. A task that still finds these members has to look the topic up
    /// again.
    abandoned: bool,
}

impl Audiences {
    /// The registry of a hub without connections.
    pub fn new(
        instance: &str,
        client_results: Arc<ClientResults>,
        changes: SubscriptionChanges,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            instance: instance.to_owned(),
            all: Mutex::default(),
            in_handover: RwLock::default(),
            client_results,
            by_topic: RwLock::default(),
            changes,
            metrics,
        }
    }

    /// Adds a connection. From now on it receives invocations of all clients, and of this connection alone.
    pub fn connected(&self, id: &str, member: &Member) {
        let mut all = lock(&self.all);
        // Two connections that do their handshakes at once with one token both receive messages, and the
        // first one has the id.
        all.by_id.entry(id.into()).or_insert(member.key);
        all.members.insert(member.clone());
    }

    /// Removes a connection.
    pub fn disconnected(&self, id: &str, key: ConnectionKey) {
        let mut all = lock(&self.all);
        if all.by_id.get(id) == Some(&key) {
            all.by_id.remove(id);
        }
        all.members.remove(key);
        drop(all);
        sync::write(&self.in_handover).remove(&key);
        self.client_results.disconnected(key);
    }

    /// Notes that a hub is gone: requests to its clients fail.
    pub fn forget_hub(&self, instance: &str) {
        self.client_results.hub_gone(instance);
    }

    /// Notes that only these hubs exist: requests to clients of other hubs fail.
    pub fn retain_hubs(&self, instances: &HashSet<String>, now: Instant) {
        self.client_results.retain_hubs(instances, now);
    }

    /// True if a connection is on this hub.
    pub fn is_local(&self, id: &str) -> bool {
        lock(&self.all).by_id.contains_key(id)
    }

    /// The key of a connection, if it is on this hub.
    pub fn key_of(&self, id: &str) -> Option<ConnectionKey> {
        lock(&self.all).by_id.get(id).copied()
    }

    /// Expects a connection from another hub, which delivers to it until the cut.
    pub fn expect_handover(&self, key: ConnectionKey) {
        sync::write(&self.in_handover).insert(key);
    }

    /// Handles the cut of a handover: from now on the claiming hub delivers to the client, see
    /// [`HandoverClaim::cut`].
    fn cut(&self, claim: &HandoverClaim<'_>) {
        let all = lock(&self.all);
        let mut in_handover = sync::write(&self.in_handover);
        if let Some(key) = self.client_results.requester(&claim.request_id) {
            in_handover.remove(&key);
        } else if let Some(key) = all.by_id.get(&*claim.connection) {
            in_handover.insert(*key);
        }
    }

    /// Delivers an invocation of one connection. Returns false if this is not the hub that delivers to it.
    pub fn deliver_to_connection(&self, payload: &str) -> bool {
        PeerInvocation::read(payload)
            .is_some_and(|invocation| self.deliver(&invocation, &EncodedOnce::new(&invocation)))
    }

    fn deliver(
        &self,
        invocation: &PeerInvocation<'_>,
        encoded: &EncodedOnce<'_, PeerInvocation<'_>>,
    ) -> bool {
        let all = lock(&self.all);
        let key = invocation.connection.as_deref().and_then(|id| all.by_id.get(id));
        let Some(member) = key.and_then(|key| all.members.get(*key)) else { return false };
        if sync::read(&self.in_handover).contains(&member.key) {
            return false;
        }
        // This happens under the lock, so that no client can leave meanwhile: a client that leaves after it
        // was invoked is known to have been invoked.
        if invocation.invocation_id.as_ref().is_none_or(|id| self.client_results.assign(id, member.key)) {
            let mut only = Members::default();
            only.insert(member.clone());
            only.deliver(|encoding| encoded.record(encoding), |_| true, &self.metrics);
        }
        true
    }

    /// Subscribes a connection to a group or a user.
    pub fn subscribe(&self, topic: &Topic, member: &Member) {
        loop {
            let topic_members = self.find(topic).unwrap_or_else(|| {
                let mut by_topic = sync::write(&self.by_topic);
                Arc::clone(by_topic.entry(topic.clone()).or_default())
            });
            let mut state = lock(&topic_members.0);
            if state.abandoned {
                // The last member left between the look-up and the lock. The task that abandoned the topic is
                // about to remove it.
                drop(state);
                self.remove(topic, &topic_members);
                continue;
            }
            let is_first = state.members.is_empty();
            state.members.insert(member.clone());
            drop(state);
            if is_first {
                self.changes.reevaluate(topic.clone());
            }
            return;
        }
    }

    /// Unsubscribes a connection from a group or a user.
    pub fn unsubscribe(&self, topic: &Topic, key: ConnectionKey) {
        let Some(topic_members) = self.find(topic) else { return };
        let mut state = lock(&topic_members.0);
        if state.members.remove(key).is_some() && state.members.is_empty() {
            state.abandoned = true;
            drop(state);
            self.remove(topic, &topic_members);
            self.changes.reevaluate(topic.clone());
        }
    }

    /// True if a topic has subscribers on this hub.
    pub fn has_subscribers(&self, topic: &Topic) -> bool {
        match topic {
            Topic::All => true,
            Topic::Hub(instance) => **instance == *self.instance,
            _ => self.find(topic).is_some(),
        }
    }

    /// All topics that have subscribers on this hub.
    pub fn subscribed_topics(&self) -> Vec<Topic> {
        let by_topic = sync::read(&self.by_topic);
        [Topic::All, Topic::Hub(self.instance.as_str().into())]
            .into_iter()
            .chain(by_topic.keys().cloned())
            .collect()
    }

    /// Delivers a payload that arrived on a topic's channel. Returns false if the payload is not understood.
    pub fn receive(&self, topic: &Topic, payload: &str) -> bool {
        if let Topic::Hub(_) = topic {
            return PeerReply::read(payload).map(|reply| self.client_results.resolve(reply)).is_some();
        }
        if let Some(claim) = HandoverClaim::read(payload) {
            if claim.cut {
                self.cut(&claim);
            }
            self.client_results.take_claim(claim);
            return true;
        }
        let Some(invocation) = PeerInvocation::read(payload) else { return false };
        let excluded = invocation
            .excluded
            .as_deref()
            .and_then(ConnectionRef::read)
            .and_then(|origin| origin.local_key(&self.instance));
        let encoded = EncodedOnce::new(&invocation);
        if invocation.connection.is_some() {
            self.deliver(&invocation, &encoded);
            return true;
        }
        let deliver = |members: &Members| {
            let in_handover = sync::read(&self.in_handover);
            // The sender may have sent this on the hub that it was handed over from.
            let sent_by_member = |member: &Member| {
                member.origin.is_some() && member.origin.as_deref() == invocation.excluded.as_deref()
            };
            let receives = |member: &Member| {
                Some(member.key) != excluded && !sent_by_member(member) && !in_handover.contains(&member.key)
            };
            members.deliver(|encoding| encoded.record(encoding), receives, &self.metrics);
        };
        if *topic == Topic::All {
            deliver(&lock(&self.all).members);
        } else if let Some(topic_members) = self.find(topic) {
            deliver(&lock(&topic_members.0).members);
        }
        true
    }

    fn find(&self, topic: &Topic) -> Option<Arc<TopicMembers>> {
        sync::read(&self.by_topic).get(topic).cloned()
    }

    /// Removes `topic_members`, unless others have taken their place since.
    fn remove(&self, topic: &Topic, topic_members: &Arc<TopicMembers>) {
        let mut by_topic = sync::write(&self.by_topic);
        if by_topic.get(topic).is_some_and(|current| Arc::ptr_eq(current, topic_members)) {
            by_topic.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests;
