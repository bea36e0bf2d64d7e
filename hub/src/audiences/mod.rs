//! Those of this pod's connections that are spoken to outside of rooms: all, those in a group, those of a user.

mod questions;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Mutex, RwLock};
use std::time::Instant;

use signalr::encoding::Once;

pub use self::questions::{Errand, Errands, Questions};
use crate::members::{ConnectionKey, Member, Members};
use crate::metrics::Metrics;
use crate::protocol::said::Origin;
use crate::protocol::word::{Claim, Reply, Word};
use crate::sync::{self, lock};
use crate::topics::{Changes, Topic};

/// See the module.
#[derive(Debug)]
pub struct Audiences {
    instance: String,
    everyone: Mutex<Everyone>,
    /// Those that another hub tells what is said: until it has given them away, or since this one has.
    deaf: RwLock<HashSet<ConnectionKey>>,
    questions: Arc<Questions>,
    by_topic: RwLock<HashMap<Topic, Arc<Audience>>>,
    changes: Changes,
    metrics: Arc<Metrics>,
}

#[derive(Debug, Default)]
struct Everyone {
    members: Members,
    by_id: HashMap<Box<str>, ConnectionKey>,
}

#[derive(Debug, Default)]
struct Audience(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    members: Members,
    /// Nobody was left, and whoever still finds it has to look it up again.
    abandoned: bool,
}

impl Audiences {
    /// Of a pod without connections.
    pub fn new(instance: &str, questions: Arc<Questions>, changes: Changes, metrics: Arc<Metrics>) -> Self {
        Self {
            instance: instance.to_owned(),
            everyone: Mutex::default(),
            deaf: RwLock::default(),
            questions,
            by_topic: RwLock::default(),
            changes,
            metrics,
        }
    }

    /// A client is there, and hears what is for all and what is for its connection alone.
    pub fn connected(&self, id: &str, member: &Member) {
        let mut everyone = lock(&self.everyone);
        // Two that shook hands at once with one token are both heard, and the first one has the id.
        everyone.by_id.entry(id.into()).or_insert(member.key);
        everyone.members.insert(member.clone());
    }

    /// A client is gone.
    pub fn disconnected(&self, id: &str, key: ConnectionKey) {
        let mut everyone = lock(&self.everyone);
        if everyone.by_id.get(id) == Some(&key) {
            everyone.by_id.remove(id);
        }
        everyone.members.remove(key);
        drop(everyone);
        sync::write(&self.deaf).remove(&key);
        self.questions.left(key);
    }

    /// A hub is gone: nobody waits for its clients any more.
    pub fn forget(&self, instance: &str) {
        self.questions.hub_gone(instance);
    }

    /// Only these hubs are there.
    pub fn forget_all_but(&self, instances: &HashSet<String>, now: Instant) {
        self.questions.all_gone_but(instances, now);
    }

    /// Whether a connection is one of this pod's.
    pub fn is_here(&self, id: &str) -> bool {
        lock(&self.everyone).by_id.contains_key(id)
    }

    /// A connection of this pod's.
    pub fn key_of(&self, id: &str) -> Option<ConnectionKey> {
        lock(&self.everyone).by_id.get(id).copied()
    }

    /// A client is about to come from another hub, which tells it what is said until it has given it away.
    pub fn wait(&self, key: ConnectionKey) {
        sync::write(&self.deaf).insert(key);
    }

    /// From now on the hub that asks tells the client what is said, see [`Claim::cut`].
    fn cut(&self, claim: &Claim<'_>) {
        let everyone = lock(&self.everyone);
        let mut deaf = sync::write(&self.deaf);
        if let Some(key) = self.questions.asker(&claim.question) {
            deaf.remove(&key);
        } else if let Some(key) = everyone.by_id.get(&*claim.claim) {
            deaf.insert(*key);
        }
    }

    /// Delivers what is for one connection; `false`: this is not the hub that tells it what is said.
    pub fn tell_one(&self, payload: &str) -> bool {
        Word::read(payload).is_some_and(|word| self.tell(&word, &Once::new(&word)))
    }

    fn tell(&self, word: &Word<'_>, once: &Once<'_, Word<'_>>) -> bool {
        let everyone = lock(&self.everyone);
        let key = word.to.as_deref().and_then(|to| everyone.by_id.get(to));
        let Some(member) = key.and_then(|key| everyone.members.get(*key)) else { return false };
        if sync::read(&self.deaf).contains(&member.key) {
            return false;
        }
        // While nobody can leave, so that whoever is asked and leaves is known to have been asked.
        if word.question.as_ref().is_none_or(|question| self.questions.put(question, member.key)) {
            let mut only = Members::default();
            only.insert(member.clone());
            only.tell(|encoding| once.record(encoding), |_| true, &self.metrics);
        }
        true
    }

    /// From now on a client hears what is for a group or a user.
    pub fn join(&self, topic: &Topic, member: &Member) {
        loop {
            let audience = self.find(topic).unwrap_or_else(|| {
                let mut audiences = sync::write(&self.by_topic);
                Arc::clone(audiences.entry(topic.clone()).or_default())
            });
            let mut state = lock(&audience.0);
            if state.abandoned {
                // Between our look and our lock the last one left; who abandoned it is about to remove it.
                drop(state);
                self.remove(topic, &audience);
                continue;
            }
            let is_first = state.members.is_empty();
            state.members.insert(member.clone());
            drop(state);
            if is_first {
                self.changes.touch(topic.clone());
            }
            return;
        }
    }

    /// A client no longer hears it.
    pub fn leave(&self, topic: &Topic, key: ConnectionKey) {
        let Some(audience) = self.find(topic) else { return };
        let mut state = lock(&audience.0);
        if state.members.remove(key).is_some() && state.members.is_empty() {
            state.abandoned = true;
            drop(state);
            self.remove(topic, &audience);
            self.changes.touch(topic.clone());
        }
    }

    /// Whether someone here hears it.
    pub fn is_wanted(&self, topic: &Topic) -> bool {
        match topic {
            Topic::All => true,
            Topic::Hub(instance) => **instance == *self.instance,
            _ => self.find(topic).is_some(),
        }
    }

    /// All that someone here hears.
    pub fn wanted(&self) -> Vec<Topic> {
        let audiences = sync::read(&self.by_topic);
        [Topic::All, Topic::Hub(self.instance.as_str().into())]
            .into_iter()
            .chain(audiences.keys().cloned())
            .collect()
    }

    /// Delivers what came on a topic's channel; `false` if it was not understood.
    pub fn hear(&self, topic: &Topic, payload: &str) -> bool {
        if let Topic::Hub(_) = topic {
            return Reply::read(payload).map(|reply| self.questions.hear(reply)).is_some();
        }
        if let Some(claim) = Claim::read(payload) {
            if claim.cut {
                self.cut(&claim);
            }
            self.questions.claim(claim);
            return true;
        }
        let Some(word) = Word::read(payload) else { return false };
        let except =
            word.except.as_deref().and_then(Origin::read).and_then(|origin| origin.key_here(&self.instance));
        let once = Once::new(&word);
        if word.to.is_some() {
            self.tell(&word, &once);
            return true;
        }
        let tell = |members: &Members| {
            let deaf = sync::read(&self.deaf);
            // A client may have said it at the hub that it came from.
            let said = |member: &Member| {
                member.former.is_some() && member.former.as_deref() == word.except.as_deref()
            };
            let hears =
                |member: &Member| Some(member.key) != except && !said(member) && !deaf.contains(&member.key);
            members.tell(|encoding| once.record(encoding), hears, &self.metrics);
        };
        if *topic == Topic::All {
            tell(&lock(&self.everyone).members);
        } else if let Some(audience) = self.find(topic) {
            tell(&lock(&audience.0).members);
        }
        true
    }

    fn find(&self, topic: &Topic) -> Option<Arc<Audience>> {
        sync::read(&self.by_topic).get(topic).cloned()
    }

    /// Removes `audience`, but not one that came to be of the same topic since.
    fn remove(&self, topic: &Topic, audience: &Arc<Audience>) {
        let mut audiences = sync::write(&self.by_topic);
        if audiences.get(topic).is_some_and(|current| Arc::ptr_eq(current, audience)) {
            audiences.remove(topic);
        }
    }
}

#[cfg(test)]
mod tests;
