//! The rooms with a member on this pod.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, RwLock};
use std::time::Instant;

use signalr::encoding::{Encoding, Once, Say};

use super::gossip::Gossip;
use super::room::{Home, Late, Room, State};
use super::timeline::{Heard, Reading, Step};
use crate::members::{ConnectionKey, Member};
use crate::metrics::Metrics;
use crate::protocol::notices::Gap;
use crate::protocol::position::Position;
use crate::protocol::presence::{Event, Typing};
use crate::protocol::room::RoomName;
use crate::protocol::said::{Origin, Said};
use crate::sync;
use crate::topics::{Changes, Topic};

/// The rooms with a member on this pod.
///
/// Delivery holds the lock of its own room, and that of all rooms only to find it: a busy room does not slow
/// another one, and neither do joins elsewhere.
#[derive(Debug)]
pub struct Rooms {
    pub(super) by_name: RwLock<HashMap<RoomName, Arc<Room>>>,
    pub(super) home: Arc<Home>,
    pub(super) gossip: Gossip,
    changes: Changes,
    pub(super) metrics: Arc<Metrics>,
}

impl Rooms {
    /// Without a room.
    pub fn new(home: Home, changes: Changes, metrics: Arc<Metrics>) -> Self {
        Self { by_name: RwLock::default(), home: Arc::new(home), gossip: Gossip::default(), changes, metrics }
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
            self.gossip.stir(&room, &mut state);
            self.abandon_if_unwanted(&room, state);
        }
        last
    }

    pub(super) fn abandon_if_unwanted(&self, room: &Arc<Room>, mut state: MutexGuard<'_, State>) {
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
        let began = Instant::now();
        let Some(said) = Said::hear(payload, &self.home.instance) else { return false };
        self.metrics.messages_heard.inc();
        let Some(room) = self.find(name) else { return true };
        let said = Arc::new(said);
        let mut state = room.lock();
        match state.timeline.hear(&said) {
            Heard::Next => {
                state.say(&said, &self.metrics);
                drop(state);
                self.metrics.message_delivery_seconds.observe(began.elapsed().as_secs_f64());
            }
            Heard::Doubled => {
                self.metrics.messages_doubled.inc();
            }
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
                    self.gossip.stir(&room, &mut state);
                }
            }
            Event::Changed { f, .. } | Event::List { f, .. } => {
                let mut state = room.lock();
                let is_gone = state.let_go(&self.home, f);
                let is_watched = state.watchers > 0;
                if state.crowd.hear(&event, is_watched) {
                    self.gossip.answer(&room);
                }
                if is_gone || state.crowd.is_settled() {
                    room.settled.notify_waiters();
                }
                self.gossip.stir(&room, &mut state);
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
        sync::read(&self.by_name).values().cloned().collect()
    }

    /// How many rooms have a member here.
    pub fn count(&self) -> usize {
        sync::read(&self.by_name).len()
    }

    /// A room with a member here.
    pub fn find(&self, name: &str) -> Option<Arc<Room>> {
        sync::read(&self.by_name).get(name).cloned()
    }

    /// Removes `room`, but not one that came to be under the same name since.
    pub(super) fn remove(&self, room: &Arc<Room>) {
        let mut rooms = sync::write(&self.by_name);
        if rooms.get(room.name.as_str()).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(room.name.as_str());
        }
    }

    /// What the backplane has of a room. `true`: it has to be read again.
    pub fn caught_up(&self, room: &Room, reading: Reading) -> bool {
        self.metrics.catch_ups.inc();
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
                    self.metrics.gaps.inc();
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
        self.metrics.messages_not_understood.inc_by(caught_up.strange as u64);
        caught_up.again
    }
}
