//! Those of this pod's connections that are spoken to outside of rooms: all, those in a group, those of a user.

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

/// See the module.
#[derive(Debug)]
pub struct Audiences {
    instance: String,
    all: Mutex<AllConnections>,
    /// Connections in handover, to which the other hub delivers: until it has handed them over, or since this one has.
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
    /// Nobody was left, and whoever still finds it has to look it up again.
    abandoned: bool,
}

impl Audiences {
    /// Of a pod without connections.
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

    /// A client is there, and hears what is for all and what is for its connection alone.
    pub fn connected(&self, id: &str, member: &Member) {
        let mut all = lock(&self.all);
        // Two that shook hands at once with one token are both heard, and the first one has the id.
        all.by_id.entry(id.into()).or_insert(member.key);
        all.members.insert(member.clone());
    }

    /// A client is gone.
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

    /// A hub is gone: nobody waits for its clients any more.
    pub fn forget_hub(&self, instance: &str) {
        self.client_results.hub_gone(instance);
    }

    /// Only these hubs are there.
    pub fn retain_hubs(&self, instances: &HashSet<String>, now: Instant) {
        self.client_results.retain_hubs(instances, now);
    }

    /// Whether a connection is one of this pod's.
    pub fn is_local(&self, id: &str) -> bool {
        lock(&self.all).by_id.contains_key(id)
    }

    /// A connection of this pod's.
    pub fn key_of(&self, id: &str) -> Option<ConnectionKey> {
        lock(&self.all).by_id.get(id).copied()
    }

    /// A client is about to come from another hub, which tells it what is said until it has given it away.
    pub fn expect_handover(&self, key: ConnectionKey) {
        sync::write(&self.in_handover).insert(key);
    }

    /// From now on the hub that asks tells the client what is said, see [`HandoverClaim::cut`].
    fn cut(&self, claim: &HandoverClaim<'_>) {
        let all = lock(&self.all);
        let mut in_handover = sync::write(&self.in_handover);
        if let Some(key) = self.client_results.requester(&claim.request_id) {
            in_handover.remove(&key);
        } else if let Some(key) = all.by_id.get(&*claim.connection) {
            in_handover.insert(*key);
        }
    }

    /// Delivers what is for one connection; `false`: this is not the hub that tells it what is said.
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
        // While nobody can leave, so that whoever is asked and leaves is known to have been asked.
        if invocation.invocation_id.as_ref().is_none_or(|id| self.client_results.assign(id, member.key)) {
            let mut only = Members::default();
            only.insert(member.clone());
            only.deliver(|encoding| encoded.record(encoding), |_| true, &self.metrics);
        }
        true
    }

    /// From now on a client hears what is for a group or a user.
    pub fn subscribe(&self, topic: &Topic, member: &Member) {
        loop {
            let topic_members = self.find(topic).unwrap_or_else(|| {
                let mut by_topic = sync::write(&self.by_topic);
                Arc::clone(by_topic.entry(topic.clone()).or_default())
            });
            let mut state = lock(&topic_members.0);
            if state.abandoned {
                // Between our look and our lock the last one left; who abandoned it is about to remove it.
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

    /// A client no longer hears it.
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

    /// Delivers what came on a topic's channel; `false` if it was not understood.
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
            // A client may have said it at the hub that it came from.
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

    /// Removes `topic_members`, but not one that came to be of the same topic since.
    fn remove(&self, topic: &Topic, topic_members: &Arc<TopicMembers>) {
        let mut by_topic = sync::write(&self.by_topic);
        if by_topic.get(topic).is_some_and(|current| Arc::ptr_eq(current, topic_members)) {
            by_topic.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests;
