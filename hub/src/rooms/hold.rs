//! Joining a room: a hold keeps the room while a member joins it.

use std::sync::Arc;

use super::join::{HistoryRequest, JoinSnapshot};
use super::registry::Rooms;
use super::room::{Room, State};
use crate::members::Member;
use crate::protocol::names::RoomName;
use crate::sync;

/// Keeps a room from being abandoned until it is dropped, see [`Rooms::hold`].
#[derive(Debug)]
pub struct RoomHold {
    rooms: Arc<Rooms>,
    room: Arc<Room>,
}

impl Rooms {
    /// Finds or creates a room, and keeps it from being abandoned while the hold exists, even without
    /// members. The room's history may have to be loaded first, see [`Room::is_current`].
    pub fn hold(self: &Arc<Self>, name: &RoomName) -> RoomHold {
        loop {
            let room = self.find(name.as_str()).unwrap_or_else(|| {
                let mut rooms = sync::write(&self.by_name);
                let new = || Arc::new(Room::new(name.clone(), &self.local_hub));
                Arc::clone(rooms.entry(name.clone()).or_insert_with(new))
            });
            let mut state = room.lock();
            if state.abandoned {
                // The last member left between the look-up and the lock. The task that abandoned the room is
                // about to remove it.
                drop(state);
                self.remove(&room);
                continue;
            }
            state.holds += 1;
            drop(state);
            return RoomHold { rooms: Arc::clone(self), room };
        }
    }
}

impl RoomHold {
    /// Adds a member to the room, or replaces it if it is a member already. `answer` sends the snapshot to
    /// the member, which receives nothing else of this room before. Between the snapshot and the messages
    /// after it, no message is missing, and none comes twice.
    pub fn join<R>(
        &self,
        member: &Member,
        history: HistoryRequest,
        answer: impl FnOnce(JoinSnapshot) -> R,
    ) -> R {
        let mut state = self.room.lock();
        let State { timeline, members, presence, .. } = &mut *state;
        let (messages, gap) = match history {
            HistoryRequest::Latest(most) => (timeline.latest(most), false),
            HistoryRequest::Since(since) => timeline.after(since),
        };
        let is_new = members.get(member.key).is_none();
        let (count, pods) = presence.count(State::local_members(members, &self.rooms.local_hub));
        let snapshot = JoinSnapshot {
            last: timeline.last(),
            gap,
            messages,
            members: count + usize::from(is_new),
            pods: pods + usize::from(members.is_empty()),
        };
        let is_loaded = timeline.is_loaded();
        if is_new {
            state.joining.push((member.key, Vec::new()));
        }
        drop(state);

        // Encoding a history takes a while, so the room is not locked meanwhile.
        let answered = answer(snapshot);

        let mut state = self.room.lock();
        if let Some(index) = state.joining.iter().position(|(key, _)| *key == member.key) {
            let (_, buffered) = state.joining.swap_remove(index);
            for record in buffered {
                member.outbox.push(record.record(member.outbox.encoding()));
            }
        }
        let State { members, presence, watchers, awaiting_history, .. } = &mut *state;
        if !is_loaded {
            let after = if let HistoryRequest::Since(since) = history { Some(since) } else { None };
            awaiting_history.retain(|(key, _)| *key != member.key);
            awaiting_history.push((member.key, after));
        }
        *watchers += usize::from(member.wants_presence);
        let previous = members.insert(member.clone());
        *watchers -= usize::from(previous.as_ref().is_some_and(|previous| previous.wants_presence));
        let local = State::local_members(members, &self.rooms.local_hub);
        presence.member_joined(local, member, previous.as_ref(), *watchers > 0);
        self.rooms.presence_queue.enqueue_change(&self.room, &mut state);
        if state.timeline.is_loaded() {
            // If the history was not loaded before, it was loaded while the join was answered.
            let last = state.timeline.last();
            state.notify_awaiting_history(&self.room.name, last, &self.rooms.metrics);
        }
        answered
    }
}

impl std::ops::Deref for RoomHold {
    type Target = Room;

    fn deref(&self) -> &Room {
        &self.room
    }
}

impl Drop for RoomHold {
    fn drop(&mut self) {
        let mut state = self.room.lock();
        state.holds -= 1;
        self.rooms.abandon_if_empty(&self.room, state);
    }
}
