//! Registry of the rooms with a member on this hub.

use std::collections::HashMap;
use std::sync::{Arc, MutexGuard, RwLock};
use std::time::Instant;

use signalr::encoding::{Encode, EncodedOnce, Encoding};

use super::presence_queue::PresenceQueue;
use super::room::{BufferedNotice, LocalHub, Room, State};
use super::timeline::{Arrival, HistoryPage, Step};
use crate::members::{ConnectionKey, Member};
use crate::metrics::Metrics;
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::names::RoomName;
use crate::protocol::notices::Gap;
use crate::protocol::position::Position;
use crate::protocol::presence::{PresenceEvent, TypingNotice};
use crate::protocol::stored_message::StoredMessage;
use crate::sync;
use crate::topics::{SubscriptionChanges, Topic};

/// Registry of the rooms with a member on this hub.
///
/// Delivery locks its own room, and the registry only to find that room: a busy room does not slow down
/// another one, and neither do joins of other rooms.
#[derive(Debug)]
pub struct Rooms {
    pub(super) by_name: RwLock<HashMap<RoomName, Arc<Room>>>,
    pub(super) local_hub: Arc<LocalHub>,
    pub(super) presence_queue: PresenceQueue,
    changes: SubscriptionChanges,
    pub(super) metrics: Arc<Metrics>,
}

impl Rooms {
    /// An empty registry.
    pub fn new(local_hub: LocalHub, changes: SubscriptionChanges, metrics: Arc<Metrics>) -> Self {
        Self {
            by_name: RwLock::default(),
            local_hub: Arc::new(local_hub),
            presence_queue: PresenceQueue::default(),
            changes,
            metrics,
        }
    }

    /// Removes a connection from a room. Returns the last message that was delivered to it.
    pub fn leave(&self, name: &str, key: ConnectionKey) -> Option<Position> {
        let room = self.find(name)?;
        let mut state = room.lock();
        let last = state.timeline.last();
        if let Some(member) = state.members.remove(key) {
            state.awaiting_history.retain(|(waiting, _)| *waiting != key);
            state.watchers -= usize::from(member.wants_presence);
            let State { presence, members, watchers, .. } = &mut *state;
            presence.member_left(State::local_members(members, &self.local_hub), &member, *watchers > 0);
            self.presence_queue.enqueue_change(&room, &mut state);
            self.abandon_if_empty(&room, state);
        }
        last
    }

    pub(super) fn abandon_if_empty(&self, room: &Arc<Room>, mut state: MutexGuard<'_, State>) {
        if state.is_occupied() || state.abandoned {
            return;
        }
        state.abandoned = true;
        let announcement =
            state.presence.leave_announcement(State::local_members(&state.members, &self.local_hub));
        drop(state);
        self.remove(room);
        if let Some(announcement) = announcement {
            self.presence_queue.announce_leave(&room.name, announcement);
        }
        self.changes.reevaluate(Topic::Room(room.name.clone()));
    }

    /// Delivers a payload that arrived on a room's channel. Returns false if the payload is not understood.
    pub fn receive(&self, name: &str, payload: &str) -> bool {
        if payload.starts_with('{') {
            return self.receive_presence(name, payload);
        }
        let began = Instant::now();
        let Some(message) = StoredMessage::read(payload, &self.local_hub.instance) else { return false };
        self.metrics.messages_heard.inc();
        let Some(room) = self.find(name) else { return true };
        let message = Arc::new(message);
        let mut state = room.lock();
        match state.timeline.receive(&message) {
            Arrival::Next => {
                state.deliver(&message, &self.metrics);
                drop(state);
                self.metrics.message_delivery_seconds.observe(began.elapsed().as_secs_f64());
            }
            Arrival::Duplicate => {
                self.metrics.messages_doubled.inc();
            }
            Arrival::Buffered => {}
            Arrival::Gap => {
                drop(state);
                self.changes.reevaluate(Topic::Room(room.name.clone()));
            }
        }
        true
    }

    fn receive_presence(&self, name: &str, payload: &str) -> bool {
        let Some(event) = PresenceEvent::read(payload) else { return false };
        let Some(room) = self.find(name) else { return true };
        match &event {
            PresenceEvent::Typing { connection, name: from } => {
                let Some(writer) = ConnectionRef::read(connection) else { return false };
                let excluded = writer.local_key(&self.local_hub.instance);
                let typing = TypingNotice { room: name, from };
                let encoded = EncodedOnce::new(&typing);
                let receives = |member: &Member| member.wants_presence && Some(member.key) != excluded;
                room.lock().members.deliver(|encoding| encoded.record(encoding), receives, &self.metrics);
            }
            PresenceEvent::Changed { instance, origins, .. }
            | PresenceEvent::List { instance, origins, .. }
                if **instance == *self.local_hub.instance =>
            {
                if !origins.is_empty() {
                    let mut state = room.lock();
                    let is_watched = state.watchers > 0;
                    state.presence.remove_moved(origins, is_watched);
                    self.presence_queue.enqueue_change(&room, &mut state);
                }
            }
            PresenceEvent::Changed { origins, .. } | PresenceEvent::List { origins, .. } => {
                let mut state = room.lock();
                let is_handed_over = state.remove_handed_over(&self.local_hub, origins);
                let is_watched = state.watchers > 0;
                if state.presence.apply(&event, is_watched) {
                    self.presence_queue.enqueue_list(&room);
                }
                if is_handed_over || state.presence.is_synced() {
                    room.synced.notify_waiters();
                }
                self.presence_queue.enqueue_change(&room, &mut state);
                if is_handed_over {
                    self.abandon_if_empty(&room, state);
                }
            }
        }
        true
    }

    /// True if a room has a member here, or is about to have one.
    pub fn has_subscribers(&self, name: &str) -> bool {
        self.find(name).is_some_and(|room| room.lock().is_occupied())
    }

    /// The rooms with a member here, in no particular order.
    pub fn all(&self) -> Vec<Arc<Room>> {
        sync::read(&self.by_name).values().cloned().collect()
    }

    /// The number of rooms with a member here.
    pub fn count(&self) -> usize {
        sync::read(&self.by_name).len()
    }

    /// Finds a room that has a member here, or is about to have one.
    pub fn find(&self, name: &str) -> Option<Arc<Room>> {
        sync::read(&self.by_name).get(name).cloned()
    }

    /// Removes `room`, unless another room has taken its name since.
    pub(super) fn remove(&self, room: &Arc<Room>) {
        let mut rooms = sync::write(&self.by_name);
        if rooms.get(room.name.as_str()).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(room.name.as_str());
        }
    }

    /// Adds a page of a room's history, read from the backplane, and delivers the messages in it that members
    /// have missed. Returns true if the history has to be read again.
    pub fn caught_up(&self, room: &Room, page: HistoryPage) -> bool {
        self.metrics.catch_ups.inc();
        let mut state = room.lock();
        let was_loaded = state.timeline.is_loaded();
        let last = page.last;
        let caught_up = state.timeline.caught_up(page);
        if !was_loaded {
            state.notify_awaiting_history(&room.name, last, &self.metrics);
        }
        for step in &caught_up.steps {
            match step {
                Step::Message(message) => state.deliver(message, &self.metrics),
                Step::Gap(after) => {
                    tracing::warn!(room = %room.name, "messages were lost");
                    self.metrics.gaps.inc();
                    let gap = Gap { room: room.name.as_str(), after: *after };
                    let encoded = EncodedOnce::new(&gap);
                    state.members.deliver(|encoding| encoded.record(encoding), |_| true, &self.metrics);
                    for (_, buffered) in &mut state.joining {
                        let both =
                            [Encoding::Json, Encoding::MessagePack].map(|encoding| gap.encode(encoding));
                        let [json, messagepack] = both;
                        buffered.push(BufferedNotice::Gap(json, messagepack));
                    }
                }
            }
        }
        self.metrics.messages_not_understood.inc_by(caught_up.invalid as u64);
        caught_up.again
    }
}
