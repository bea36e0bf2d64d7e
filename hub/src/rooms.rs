//! Who, of this pod's connections, is in which room; what was said there; and delivery to them.

pub mod crowd;
mod gossip;
pub mod members;
pub mod timeline;

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use tokio::sync::Notify;

use self::crowd::{Crowd, Here};
use self::gossip::Gossip;
pub use self::members::{ConnectionKey, Member, Members, Who};
use self::timeline::{Heard, Reading, Step, Timeline};
use crate::backplane::{Changes, Topic};
use crate::metrics::Metrics;
use crate::outbox::Outbox;
use crate::protocol::methods::Gap;
use crate::protocol::position::Position;
use crate::protocol::presence::{Event, Person, Typing};
use crate::protocol::record::{Encoding, Once, Record, Say};
use crate::protocol::room::RoomName;
use crate::protocol::said::{Origin, Said};

/// The rooms with a member on this pod.
///
/// Delivery holds the lock of its own room, and that of all rooms only to find it: a busy room does not slow
/// another one, and neither do joins elsewhere.
#[derive(Debug)]
pub struct Rooms {
    by_name: RwLock<HashMap<RoomName, Arc<Room>>>,
    home: Arc<Home>,
    gossip: Gossip,
    changes: Changes,
    metrics: Arc<Metrics>,
}

/// How long someone who enters waits for other pods to say who is there.
const PATIENCE: Duration = Duration::from_millis(500);

/// For the hub that goes on with a connection to say that it is there.
const ARRIVAL: Duration = Duration::from_secs(2);

/// What all rooms of a pod have in common.
#[derive(Debug, Clone)]
pub struct Home {
    /// The pod.
    pub pod: Arc<str>,
    /// The process.
    pub instance: String,
    /// The most messages that are kept of a room.
    pub history: usize,
}

/// A room with a member on this pod, or about to have one.
#[derive(Debug)]
pub struct Room {
    name: RoomName,
    home: Arc<Home>,
    state: Mutex<State>,
    /// The other pods have said who is there, or who has gone on there.
    settled: Notify,
}

#[derive(Debug)]
struct State {
    members: Members,
    timeline: Timeline,
    /// Who entered while the backplane could not be read, and the last message that each knows.
    unsure: Vec<(ConnectionKey, Option<Position>)>,
    /// Who is being told what there is, and what was said since.
    entering: Vec<(ConnectionKey, Vec<Late>)>,
    /// How many are about to enter.
    held: usize,
    crowd: Crowd,
    /// How many members want to know of the others.
    watchers: usize,
    /// There is something to tell others or members, and someone is about to.
    stirred: bool,
    /// Nobody was left, and whoever still finds this room has to look it up again.
    abandoned: bool,
}

impl State {
    fn is_wanted(&self) -> bool {
        !self.members.is_empty() || self.held > 0
    }

    fn here<'a>(members: &'a Members, home: &'a Home) -> Here<'a> {
        Here { instance: &home.instance, pod: &home.pod, members }
    }
}

/// What someone who enters hears only afterwards.
#[derive(Debug, Clone)]
enum Late {
    Said(Arc<Said>),
    Gap(Record, Record),
}

impl Late {
    fn record(&self, encoding: Encoding) -> Record {
        match (self, encoding) {
            (Self::Said(said), encoding) => said.record(encoding).clone(),
            (Self::Gap(json, _), Encoding::Json) => json.clone(),
            (Self::Gap(_, messagepack), Encoding::MessagePack) => messagepack.clone(),
        }
    }
}

/// What a member wants to know as it enters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// At most so many of the last messages.
    Latest(usize),
    /// What came after this one.
    Since(Position),
}

/// What a member finds as it enters.
#[derive(Debug)]
pub struct Entered {
    /// The last message's.
    pub last: Option<Position>,
    /// Some of what was asked for is not there.
    pub gap: bool,
    /// The messages that were asked for; those that follow are heard.
    pub messages: Vec<Arc<Said>>,
    /// How many members there are.
    pub members: usize,
    /// How many pods serve them.
    pub pods: usize,
}

impl Rooms {
    /// Without a room.
    pub fn new(home: Home, changes: Changes, metrics: Arc<Metrics>) -> Self {
        Self { by_name: RwLock::default(), home: Arc::new(home), gossip: Gossip::default(), changes, metrics }
    }

    /// Keeps a room from being abandoned, whether someone is in it or not. It may have to be heard first, see
    /// [`Room::is_current`].
    pub fn hold(self: &Arc<Self>, name: &RoomName) -> Hold {
        loop {
            let room = self.find(name.as_str()).unwrap_or_else(|| {
                let mut rooms = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                let new = || Arc::new(Room::new(name.clone(), &self.home));
                Arc::clone(rooms.entry(name.clone()).or_insert_with(new))
            });
            let mut state = room.lock();
            if state.abandoned {
                // Between our look and our lock the last one left; who abandoned it is about to remove it.
                drop(state);
                self.remove(&room);
                continue;
            }
            state.held += 1;
            drop(state);
            return Hold { rooms: Arc::clone(self), room };
        }
    }

    /// Takes a connection out of a room, and says up to which message it has heard it.
    pub fn leave(&self, name: &str, key: ConnectionKey) -> Option<Position> {
        let room = self.find(name)?;
        let mut state = room.lock();
        let last = state.timeline.last();
        if let Some(member) = state.members.remove(key) {
            state.unsure.retain(|(unsure, _)| *unsure != key);
            state.watchers -= usize::from(member.presence);
            let State { crowd, members, watchers, .. } = &mut *state;
            crowd.went(State::here(members, &self.home), &member, *watchers > 0);
            self.stir(&room, &mut state);
            self.abandon_if_unwanted(&room, state);
        }
        last
    }

    /// A connection goes on at another hub: it hears the room no more, and said is up to which message it has. The others see it here
    /// until that hub says that it is there, or until it leaves.
    pub fn depart(&self, name: &str, key: ConnectionKey, nobody: &Arc<Outbox>) -> Option<Position> {
        let room = self.find(name)?;
        let mut state = room.lock();
        if let Some(member) = state.members.get(key).cloned() {
            state.unsure.retain(|(unsure, _)| *unsure != key);
            state.members.insert(Member { outbox: Arc::clone(nobody), ..member });
        }
        state.timeline.last()
    }

    /// Waits until a connection that has departed is at another hub, but not for long, and has it leave.
    pub async fn gone(&self, name: &str, key: ConnectionKey) {
        let Some(room) = self.find(name) else { return };
        let gone = async {
            loop {
                let notified = room.settled.notified();
                if room.lock().members.get(key).is_none() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(ARRIVAL, gone).await.is_err() {
            self.leave(name, key);
        }
    }

    /// Those who departed from here and are on another pod now leave. `true`: there were some.
    fn let_go(&self, state: &mut State, formers: &[Cow<'_, str>]) -> bool {
        let key_of = |former: &Cow<'_, str>| Origin::read(former)?.key_here(&self.home.instance);
        let mut any = false;
        for key in formers.iter().filter_map(key_of) {
            let State { members, crowd, watchers, .. } = &mut *state;
            // Whoever can write to Redis cannot make anyone else leave.
            if let Some(member) = members.get(key).filter(|member| member.outbox.has_ended()).cloned() {
                members.remove(key);
                *watchers -= usize::from(member.presence);
                crowd.went(State::here(members, &self.home), &member, *watchers > 0);
                any = true;
            }
        }
        any
    }

    fn abandon_if_unwanted(&self, room: &Arc<Room>, mut state: MutexGuard<'_, State>) {
        if state.is_wanted() || state.abandoned {
            return;
        }
        state.abandoned = true;
        let farewell = state.crowd.farewell(State::here(&state.members, &self.home));
        drop(state);
        self.remove(room);
        if let Some(farewell) = farewell {
            self.gossip.farewell(&room.name, farewell);
        }
        self.changes.touch(Topic::Room(room.name.clone()));
    }

    /// Delivers what came on a room's channel; `false` if it was not understood.
    pub fn hear(&self, name: &str, payload: &str) -> bool {
        if payload.starts_with('{') {
            return self.hear_event(name, payload);
        }
        let Some(said) = Said::hear(payload, &self.home.instance) else { return false };
        self.metrics.heard.add(1);
        let Some(room) = self.find(name) else { return true };
        let said = Arc::new(said);
        let mut state = room.lock();
        match state.timeline.hear(&said) {
            Heard::Next => state.say(&said, &self.metrics),
            Heard::Doubled => self.metrics.doubled.add(1),
            Heard::Waits => {}
            Heard::FellBehind => {
                drop(state);
                self.changes.touch(Topic::Room(room.name.clone()));
            }
        }
        true
    }

    fn hear_event(&self, name: &str, payload: &str) -> bool {
        let Some(event) = Event::read(payload) else { return false };
        let Some(room) = self.find(name) else { return true };
        match &event {
            Event::Typing { by, from } => {
                let Some(by) = Origin::read(by) else { return false };
                let except = by.key_here(&self.home.instance);
                let typing = Typing { room: name, from };
                let once = Once::new(&typing);
                let hears = |member: &Member| member.presence && Some(member.key) != except;
                room.lock().members.tell(|encoding| once.record(encoding), hears, &self.metrics);
            }
            Event::Changed { i, f, .. } | Event::List { i, f, .. } if **i == *self.home.instance => {
                if !f.is_empty() {
                    let mut state = room.lock();
                    let is_watched = state.watchers > 0;
                    state.crowd.hear_moved(f, is_watched);
                    self.stir(&room, &mut state);
                }
            }
            Event::Changed { f, .. } | Event::List { f, .. } => {
                let mut state = room.lock();
                let is_gone = self.let_go(&mut state, f);
                let is_watched = state.watchers > 0;
                if state.crowd.hear(&event, is_watched) {
                    self.gossip.answer(&room);
                }
                if is_gone || state.crowd.is_settled() {
                    room.settled.notify_waiters();
                }
                self.stir(&room, &mut state);
                if is_gone {
                    self.abandon_if_unwanted(&room, state);
                }
            }
        }
        true
    }

    /// Whether a room has a member here, or is about to.
    pub fn is_wanted(&self, name: &str) -> bool {
        self.find(name).is_some_and(|room| room.lock().is_wanted())
    }

    /// The rooms with a member here, in no order.
    pub fn all(&self) -> Vec<Arc<Room>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// How many rooms have a member here.
    pub fn count(&self) -> usize {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    /// A room with a member here.
    pub fn find(&self, name: &str) -> Option<Arc<Room>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Removes `room`, but not one that came to be under the same name since.
    fn remove(&self, room: &Arc<Room>) {
        let mut rooms = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(room.name.as_str()).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(room.name.as_str());
        }
    }

    /// What the backplane has of a room. `true`: it has to be read again.
    pub fn caught_up(&self, room: &Room, reading: Reading) -> bool {
        self.metrics.catch_ups.add(1);
        let mut state = room.lock();
        let was_loaded = state.timeline.is_loaded();
        let last = reading.last;
        let caught_up = state.timeline.caught_up(reading);
        if !was_loaded {
            state.tell_the_unsure(&room.name, last, &self.metrics);
        }
        for step in &caught_up.steps {
            match step {
                Step::Say(said) => state.say(said, &self.metrics),
                Step::Gap(after) => {
                    tracing::warn!(room = %room.name, "messages were lost");
                    self.metrics.gaps.add(1);
                    let gap = Gap { room: room.name.as_str(), after: *after };
                    let once = Once::new(&gap);
                    state.members.tell(|encoding| once.record(encoding), |_| true, &self.metrics);
                    for (_, late) in &mut state.entering {
                        let both = [Encoding::Json, Encoding::MessagePack].map(|encoding| gap.say(encoding));
                        let [json, messagepack] = both;
                        late.push(Late::Gap(json, messagepack));
                    }
                }
            }
        }
        self.metrics.not_understood.add(caught_up.strange as u64);
        caught_up.again
    }
}

impl State {
    fn say(&mut self, said: &Arc<Said>, metrics: &Metrics) {
        for (_, late) in &mut self.entering {
            late.push(Late::Said(Arc::clone(said)));
        }
        let hears = |member: &Member| said.except != Some(member.key);
        self.members.tell(|encoding| said.record(encoding), hears, metrics);
    }

    /// Who entered before the history was known learns that there was more than it was given.
    fn tell_the_unsure(&mut self, room: &RoomName, last: Option<Position>, metrics: &Metrics) {
        for (key, after) in std::mem::take(&mut self.unsure) {
            if last.is_none() || last == after {
                continue;
            }
            metrics.gaps.add(1);
            let gap = Gap { room: room.as_str(), after };
            let once = Once::new(&gap);
            self.members.tell(|encoding| once.record(encoding), |member| member.key == key, metrics);
        }
    }
}

impl Room {
    fn new(name: RoomName, home: &Arc<Home>) -> Self {
        let state = State {
            members: Members::default(),
            timeline: Timeline::new(home.history),
            unsure: Vec::new(),
            entering: Vec::new(),
            held: 0,
            crowd: Crowd::default(),
            watchers: 0,
            stirred: false,
            abandoned: false,
        };
        Self { name, home: Arc::clone(home), state: Mutex::new(state), settled: Notify::new() }
    }

    /// Its name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Whether it needs nothing from the backplane before someone enters who knows the message `since`.
    pub fn is_current(&self, entry: Entry) -> bool {
        let mut state = self.lock();
        if let Entry::Since(since) = entry
            && state.timeline.is_ahead(since)
        {
            state.timeline.fall_behind();
        }
        !state.timeline.is_behind()
    }

    /// Whether it waits for the backplane.
    pub fn is_behind(&self) -> bool {
        self.lock().timeline.is_behind()
    }

    /// The last message that was heard.
    pub fn last(&self) -> Option<Position> {
        self.lock().timeline.last()
    }

    /// Waits until the other pods have said who is there, but not for long.
    pub async fn settled(&self) {
        let settled = async {
            loop {
                let notified = self.settled.notified();
                if self.lock().crowd.is_settled() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            // Whoever comes next need not wait again.
            self.lock().crowd.asked(0);
        }
    }

    /// Who is in the room, as the other pods are asked to say in turn.
    pub fn ask(&self) -> String {
        crowd::list(State::here(&self.lock().members, &self.home), true)
    }

    /// Whether the other pods were asked, on this connection to the backplane.
    pub fn is_asked(&self) -> bool {
        self.lock().crowd.is_asked()
    }

    /// So many other pods were asked.
    pub fn asked(&self, others: usize) {
        let mut state = self.lock();
        state.crowd.asked(others);
        if state.crowd.is_settled() {
            self.settled.notify_waiters();
        }
    }

    /// How many members there are, how many pods serve them, and the first of them.
    pub fn people(&self) -> (usize, usize, Vec<Person>) {
        let state = self.lock();
        let here = State::here(&state.members, &self.home);
        let (count, pods) = state.crowd.count(here);
        (count, pods, state.crowd.people(here))
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hold {
    /// Puts a member in the room, again if need be. `answer` tells it what it finds, and before it has been told, it hears nothing of
    /// this room; between that and what it hears then, nothing is missing, and nothing comes twice.
    pub fn enter<R>(&self, member: &Member, entry: Entry, answer: impl FnOnce(Entered) -> R) -> R {
        let mut state = self.room.lock();
        let State { timeline, members, crowd, .. } = &mut *state;
        let (messages, gap) = match entry {
            Entry::Latest(most) => (timeline.latest(most), false),
            Entry::Since(since) => timeline.after(since),
        };
        let is_new = members.get(member.key).is_none();
        let (count, pods) = crowd.count(State::here(members, &self.rooms.home));
        let entered = Entered {
            last: timeline.last(),
            gap,
            messages,
            members: count + usize::from(is_new),
            pods: pods + usize::from(members.is_empty()),
        };
        let is_loaded = timeline.is_loaded();
        if is_new {
            state.entering.push((member.key, Vec::new()));
        }
        drop(state);

        // To encode a history takes a while, and the room is not to wait for it.
        let answered = answer(entered);

        let mut state = self.room.lock();
        if let Some(index) = state.entering.iter().position(|(key, _)| *key == member.key) {
            let (_, late) = state.entering.swap_remove(index);
            for record in late {
                member.outbox.push(record.record(member.outbox.encoding()));
            }
        }
        let State { members, crowd, watchers, unsure, .. } = &mut *state;
        if !is_loaded {
            let after = if let Entry::Since(since) = entry { Some(since) } else { None };
            unsure.retain(|(key, _)| *key != member.key);
            unsure.push((member.key, after));
        }
        *watchers += usize::from(member.presence);
        let former = members.insert(member.clone());
        *watchers -= usize::from(former.as_ref().is_some_and(|former| former.presence));
        let here = State::here(members, &self.rooms.home);
        crowd.came(here, member, former.as_ref(), *watchers > 0);
        self.rooms.stir(&self.room, &mut state);
        if state.timeline.is_loaded() {
            // Unless it was so before, it came to be known while this one was told that it is not.
            let last = state.timeline.last();
            state.tell_the_unsure(&self.room.name, last, &self.rooms.metrics);
        }
        answered
    }
}

/// See [`Rooms::hold`].
#[derive(Debug)]
pub struct Hold {
    rooms: Arc<Rooms>,
    room: Arc<Room>,
}

impl std::ops::Deref for Hold {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        state.held -= 1;
        self.rooms.abandon_if_unwanted(&self.room, state);
    }
}

#[cfg(test)]
#[path = "rooms/rooms_tests.rs"]
mod tests;
