//! How someone comes to be in a room.

use std::sync::Arc;

use super::entry::{Entered, Entry};
use super::registry::Rooms;
use super::room::{Room, State};
use crate::members::Member;
use crate::protocol::room::RoomName;
use crate::sync;

/// See [`Rooms::hold`].
#[derive(Debug)]
pub struct Hold {
    rooms: Arc<Rooms>,
    room: Arc<Room>,
}

impl Rooms {
    /// Keeps a room from being abandoned, whether someone is in it or not. It may have to be heard first, see
    /// [`Room::is_current`].
    pub fn hold(self: &Arc<Self>, name: &RoomName) -> Hold {
        loop {
            let room = self.find(name.as_str()).unwrap_or_else(|| {
                let mut rooms = sync::write(&self.by_name);
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
        self.rooms.gossip.stir(&self.room, &mut state);
        if state.timeline.is_loaded() {
            // Unless it was so before, it came to be known while this one was told that it is not.
            let last = state.timeline.last();
            state.tell_the_unsure(&self.room.name, last, &self.rooms.metrics);
        }
        answered
    }
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
