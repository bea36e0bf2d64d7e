//! Who is in a room on other pods, and who came and went lately, here and there.
//!
//! Pure: what it holds comes from what pods tell each other ([`Event`]); nothing of it is stored anywhere.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::news::{MOST_NAMED, News};
use crate::members::{ConnectionKey, Member, Members};
use crate::protocol::presence::{Event, Guest, Person, Presence};
use crate::protocol::said::Origin;

/// The most pods of a room, so that a foreign sender cannot fill the memory.
const MOST_PEERS: usize = 1_000;

/// The most members that are believed of a pod.
const MOST_COUNTED: usize = 10_000_000;

/// In larger rooms clients are told how many there are, and not who.
const MOST_TOLD: usize = 200;

/// Clients are told at most so often.
const PACE: Duration = Duration::from_secs(1);

/// After a new connection to the backplane, a pod that says nothing of a room for so long has nobody there any more: by then it
/// has connected again, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// For a word of this pod to come back to it.
const ECHO: Duration = Duration::from_secs(2);

/// See the module.
#[derive(Debug, Default)]
pub struct Crowd {
    peers: HashMap<Box<str>, Peer>,
    /// What the others are to be told of the members here.
    outgoing: Outgoing,
    /// What the members here are to be told.
    news: News,
    told: Option<Instant>,
    /// Who came here from other pods, as the others were told: until that word has come back, they may be there, too, in words that
    /// were on their way. Meanwhile members are told nothing.
    moved: HashSet<Box<str>>,
    moved_at: Option<Instant>,
    /// Something does not fit together: the others are to be asked.
    doubtful: bool,
    /// Who has answered since the others were asked, and how many were there to answer.
    answered: HashSet<Box<str>>,
    awaited: Option<usize>,
}

#[derive(Debug)]
struct Peer {
    pod: Arc<str>,
    count: usize,
    named: HashMap<ConnectionKey, Person>,
    /// It was not heard of since then, although the others were asked.
    doubted_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct Outgoing {
    joined: HashSet<ConnectionKey>,
    left: HashSet<ConnectionKey>,
}

/// Whose members they are.
#[derive(Debug, Clone, Copy)]
pub struct Here<'a> {
    /// The process.
    pub instance: &'a str,
    /// Its pod.
    pub pod: &'a Arc<str>,
    /// Its members.
    pub members: &'a Members,
}

impl Crowd {
    /// How many are there on other pods, and how many pods that is.
    pub fn elsewhere(&self) -> (usize, usize) {
        let with_members = self.peers.values().filter(|peer| peer.count > 0);
        with_members.fold((0, 0), |(count, pods), peer| (count + peer.count, pods + 1))
    }

    /// Someone came here, or is called otherwise now.
    pub fn came(&mut self, here: Here, member: &Member, former: Option<&Member>, is_watched: bool) {
        if former.is_some_and(|former| former.who == member.who) {
            return;
        }
        if is_watched {
            if let Some(former) = former {
                self.news.left(here.instance, former.key, person(former, here.pod));
            }
            self.news.joined(here.instance, member.key, &person(member, here.pod));
        }
        if !self.peers.is_empty() {
            self.outgoing.left.remove(&member.key);
            self.outgoing.joined.insert(member.key);
        }
    }

    /// Someone here went.
    pub fn went(&mut self, here: Here, member: &Member, is_watched: bool) {
        if is_watched {
            self.news.left(here.instance, member.key, person(member, here.pod));
        }
        if !self.peers.is_empty() {
            self.outgoing.joined.remove(&member.key);
            self.outgoing.left.insert(member.key);
        }
    }

    /// Another pod tells of its members. `true`: it is to be told of those here.
    pub fn hear(&mut self, event: &Event, is_watched: bool) -> bool {
        let (Event::Changed { i, p, f, .. } | Event::List { i, p, f, .. }) = event else { return false };
        self.hear_moved(f, is_watched);
        if !self.peers.contains_key(&**i) && self.peers.len() == MOST_PEERS {
            return false;
        }
        let mut ignored = News::default();
        let news = if is_watched { &mut self.news } else { &mut ignored };
        let new = || Peer { pod: (&**p).into(), count: 0, named: HashMap::new(), doubted_since: None };
        let is_new = !self.peers.contains_key(&**i);
        let peer = self.peers.entry((&**i).into()).or_insert_with(new);
        news.any |= match event {
            Event::Changed { n, .. } | Event::List { n, .. } => peer.count != *n,
            Event::Typing { .. } => false,
        };
        let asked = match event {
            Event::Changed { n, j, l, .. } => {
                for key in l {
                    if let Some(person) = peer.named.remove(key) {
                        news.left(i, *key, person);
                    }
                }
                peer.take(i, j, news);
                peer.count = (*n).min(MOST_COUNTED);
                // A pod that nothing was known of has others, too; and each of its members is named if there are few.
                self.doubtful |= is_new && peer.named.len() != *n;
                self.doubtful |= peer.named.len() > *n || (peer.named.len() < *n && *n < MOST_NAMED);
                false
            }
            Event::List { n, m, ask, .. } => {
                let keys: HashSet<_> = m.iter().map(|Guest(key, ..)| *key).collect();
                let gone: Vec<_> = peer.named.keys().filter(|key| !keys.contains(key)).copied().collect();
                for key in gone {
                    if let Some(person) = peer.named.remove(&key) {
                        news.left(i, key, person);
                    }
                }
                peer.take(i, m, news);
                peer.count = (*n).min(MOST_COUNTED);
                peer.doubted_since = None;
                self.answered.insert((&**i).into());
                *ask
            }
            Event::Typing { .. } => false,
        };
        // One without members is kept as long as it is there: it is told of those here.
        asked
    }

    /// Those who were these on other pods are here, or on the pod that says so.
    pub fn hear_moved(&mut self, formers: &[Cow<'_, str>], is_watched: bool) {
        for former in formers {
            self.moved.remove(&**former);
            let Some(Origin { instance, key }) = Origin::read(former) else { continue };
            let Some(peer) = self.peers.get_mut(&*instance) else { continue };
            let Some(person) = peer.named.remove(&key) else { continue };
            peer.count = peer.count.saturating_sub(1);
            if is_watched {
                self.news.left(&instance, key, person);
            }
        }
    }

    /// A pod is gone.
    pub fn forget(&mut self, instance: &str, is_watched: bool) {
        let Some(peer) = self.peers.remove(instance) else { return };
        if is_watched {
            self.news.any |= peer.count > 0;
            for (key, person) in peer.named {
                self.news.left(instance, key, person);
            }
        }
    }

    /// The pods that are none of these.
    pub fn strangers(&self, instances: &HashSet<String>) -> Vec<Box<str>> {
        self.peers.keys().filter(|instance| !instances.contains(&***instance)).cloned().collect()
    }

    /// The connection to the backplane is a new one: who is there has to say so again.
    pub fn doubt(&mut self, now: Instant) {
        self.answered.clear();
        self.awaited = None;
        for peer in self.peers.values_mut() {
            peer.doubted_since.get_or_insert(now);
        }
    }

    /// The others are to be asked at the next [`Crowd::tell_peers`].
    pub fn ask_again(&mut self) {
        self.doubtful = true;
    }

    /// So many others were asked.
    pub fn asked(&mut self, others: usize) {
        self.awaited = Some(others);
    }

    /// Whether the others were asked since the connection is a new one.
    pub fn is_asked(&self) -> bool {
        self.awaited.is_some()
    }

    /// Whether all who were asked have answered, or nobody could be.
    pub fn is_settled(&self) -> bool {
        self.awaited.is_none_or(|awaited| self.answered.len() >= awaited)
    }

    /// Whether there is something to do at the next [`Crowd::tell_peers`] or [`Crowd::tell_members`].
    pub fn is_busy(&self) -> bool {
        self.doubtful
            || self.news.any
            || !self.outgoing.joined.is_empty()
            || !self.outgoing.left.is_empty()
            || self.peers.values().any(|peer| peer.doubted_since.is_some())
    }

    /// What the other pods are to be told now.
    pub fn tell_peers(&mut self, here: Here, now: Instant, is_watched: bool) -> Option<String> {
        let is_over = |peer: &Peer| peer.doubted_since.is_some_and(|at| now.duration_since(at) > PATIENCE);
        let over: Vec<_> =
            self.peers.iter().filter(|(_, peer)| is_over(peer)).map(|(key, _)| key.clone()).collect();
        for instance in over {
            self.forget(&instance, is_watched);
        }
        let Outgoing { joined, left } = std::mem::take(&mut self.outgoing);
        let formers = joined.iter().filter_map(|key| here.members.get(*key)?.former.as_deref());
        let formers: Vec<Cow<'_, str>> = formers.map(Into::into).collect();
        if !formers.is_empty() {
            self.moved.extend(formers.iter().map(|former| (&**former).into()));
            self.moved_at = Some(now);
        }
        if std::mem::take(&mut self.doubtful) {
            return Some(listed(here, true, formers));
        }
        if self.peers.is_empty() || (joined.is_empty() && left.is_empty()) {
            return None;
        }
        let joined = joined.iter().filter_map(|key| here.members.get(*key)).take(MOST_NAMED);
        let event = Event::Changed {
            i: here.instance.into(),
            p: (&**here.pod).into(),
            n: here.members.len(),
            j: joined.map(guest).collect(),
            l: left.into_iter().collect(),
            f: formers,
        };
        Some(event.json())
    }

    /// What the members here are to be told now, if they were not just told something.
    pub fn tell_members<'r>(&mut self, room: &'r str, here: Here, now: Instant) -> Option<Presence<'r>> {
        let is_soon = |then: Option<Instant>, wait| then.is_some_and(|then| now.duration_since(then) < wait);
        let is_unheard = !self.moved.is_empty() && is_soon(self.moved_at, ECHO);
        if !self.news.any || is_soon(self.told, PACE) || is_unheard {
            return None;
        }
        self.moved.clear();
        self.told = Some(now);
        let (count, pods) = self.count(here);
        let news = std::mem::take(&mut self.news);
        let names = |people: HashMap<_, Person>| {
            let names = people.into_values();
            if news.too_many || count > MOST_TOLD { Vec::new() } else { names.collect() }
        };
        let (joined, left) = (names(news.joined), names(news.left));
        Some(Presence { room, count, pods, joined, left })
    }

    /// Nobody here wants to know.
    pub fn drop_news(&mut self) {
        self.news = News::default();
    }

    /// How many there are, and how many pods serve them.
    pub fn count(&self, here: Here) -> (usize, usize) {
        let (count, pods) = self.elsewhere();
        (here.members.len() + count, pods + usize::from(!here.members.is_empty()))
    }

    /// The first of all members.
    pub fn people(&self, here: Here) -> Vec<Person> {
        let own = here.members.iter().map(|member| person(member, here.pod));
        let others = self.peers.values().flat_map(|peer| peer.named.values().cloned());
        own.chain(others).take(MOST_NAMED).collect()
    }

    /// The last word of a pod on which nobody is left, if someone has to know.
    pub fn farewell(&self, here: Here) -> Option<String> {
        let event = Event::List {
            i: here.instance.into(),
            p: (&**here.pod).into(),
            n: 0,
            m: Vec::new(),
            f: Vec::new(),
            ask: false,
        };
        (!self.peers.is_empty()).then(|| event.json())
    }
}

impl Peer {
    fn take(&mut self, instance: &str, guests: &[Guest], news: &mut News) {
        for Guest(key, name, user) in guests {
            let person = Person {
                name: name.as_ref().into(),
                pod: Arc::clone(&self.pod),
                user: user.as_ref().map(|user| user.as_ref().into()),
            };
            let former = self.named.get(key);
            if former == Some(&person) || (former.is_none() && self.named.len() == MOST_NAMED) {
                continue;
            }
            if let Some(former) = former {
                news.left(instance, *key, former.clone());
            }
            news.joined(instance, *key, &person);
            self.named.insert(*key, person);
        }
    }
}

/// All members here, as the other pods are told.
pub fn list(here: Here, ask: bool) -> String {
    listed(here, ask, Vec::new())
}

fn listed(here: Here, ask: bool, f: Vec<Cow<'_, str>>) -> String {
    let event = Event::List {
        i: here.instance.into(),
        p: (&**here.pod).into(),
        n: here.members.len(),
        m: here.members.iter().take(MOST_NAMED).map(guest).collect(),
        f,
        ask,
    };
    event.json()
}

fn guest(member: &Member) -> Guest<'_> {
    Guest(member.key, member.who.name.as_str().into(), member.who.user.as_deref().map(Into::into))
}

fn person(member: &Member, pod: &Arc<str>) -> Person {
    Person {
        name: member.who.name.as_str().into(),
        pod: Arc::clone(pod),
        user: member.who.user.as_deref().map(Into::into),
    }
}

#[cfg(test)]
mod tests;
