//! Who, of this pod's connections, is in which room; and delivery to them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use crate::metrics::Metrics;
use crate::outbox::{Outbox, Pushed};
use crate::protocol::record::{Once, Say};
use crate::protocol::room::RoomName;

/// Tells this pod's connections apart; never used twice in a process.
pub type ConnectionKey = u64;

/// The rooms with a member on this pod.
///
/// Delivery holds the lock of its own room, and that of all rooms only to find it: a busy room does not slow
/// another one, and neither do joins elsewhere.
#[derive(Debug, Default)]
pub struct Rooms {
    by_name: RwLock<HashMap<RoomName, Arc<Room>>>,
}

#[derive(Debug, Default)]
struct Room(Mutex<Members>);

#[derive(Debug, Default)]
struct Members {
    outboxes: HashMap<ConnectionKey, Arc<Outbox>>,
    /// The last member has left, and whoever holds this room has to look it up again.
    abandoned: bool,
}

impl Rooms {
    /// Puts a connection in a room (again changes nothing) and gives the number of members here.
    pub fn join(&self, name: &RoomName, key: ConnectionKey, outbox: &Arc<Outbox>) -> usize {
        loop {
            let room = self.find(name.as_str()).unwrap_or_else(|| {
                let mut rooms = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
                Arc::clone(rooms.entry(name.clone()).or_default())
            });
            let mut members = room.lock();
            if members.abandoned {
                // Between our look and our lock the last member left; who abandoned it is about to remove it.
                drop(members);
                self.remove(name.as_str(), &room);
                continue;
            }
            members.outboxes.insert(key, Arc::clone(outbox));
            return members.outboxes.len();
        }
    }

    /// Takes a connection out of a room, and says whether it was the last one here.
    pub fn leave(&self, name: &str, key: ConnectionKey) -> bool {
        let Some(room) = self.find(name) else { return false };
        let mut members = room.lock();
        let was_member = members.outboxes.remove(&key).is_some();
        let last = was_member && members.outboxes.is_empty();
        members.abandoned |= last;
        drop(members);
        if last {
            self.remove(name, &room);
        }
        last
    }

    /// Queues what is said for every member here, and says for how many.
    pub fn deliver(&self, name: &str, said: &impl Say, metrics: &Metrics) -> usize {
        let Some(room) = self.find(name) else { return 0 };
        let once = Once::new(said);
        let members = room.lock();
        let mut delivered = 0;
        for outbox in members.outboxes.values() {
            match outbox.push(once.record(outbox.encoding()).clone()) {
                Pushed::Queued => delivered += 1,
                Pushed::Ended => {}
                Pushed::Overflow => metrics.slow_consumers.add(1),
            }
        }
        drop(members);
        metrics.deliveries.add(delivered as u64);
        delivered
    }

    /// Whether a room has a member here.
    pub fn has_members(&self, name: &str) -> bool {
        self.find(name).is_some_and(|room| !room.lock().abandoned)
    }

    /// The rooms with a member here, in no order.
    pub fn names(&self) -> Vec<RoomName> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).keys().cloned().collect()
    }

    /// How many rooms have a member here.
    pub fn count(&self) -> usize {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn find(&self, name: &str) -> Option<Arc<Room>> {
        self.by_name.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Removes `room`, but not one that came to be under the same name since.
    fn remove(&self, name: &str, room: &Arc<Room>) {
        let mut rooms = self.by_name.write().unwrap_or_else(PoisonError::into_inner);
        if rooms.get(name).is_some_and(|current| Arc::ptr_eq(current, room)) {
            rooms.remove(name);
        }
    }
}

impl Room {
    fn lock(&self) -> std::sync::MutexGuard<'_, Members> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Limits;
    use crate::protocol::record::{Encoding, Record};

    struct Hi;

    impl Say for Hi {
        fn say(&self, encoding: Encoding) -> Record {
            encoding.invocation(None, "hi", &[(); 0])
        }
    }

    fn room(name: &str) -> RoomName {
        RoomName::new(name.into()).unwrap()
    }

    fn outbox() -> Arc<Outbox> {
        Outbox::alone(Limits { records: 1, bytes: 100 })
    }

    #[test]
    fn the_last_to_leave_is_told_so_and_the_room_is_gone() {
        let rooms = Rooms::default();

        assert_eq!(rooms.join(&room("a"), 1, &outbox()), 1);
        assert_eq!(rooms.join(&room("a"), 2, &outbox()), 2);
        assert_eq!(rooms.join(&room("a"), 2, &outbox()), 2);

        assert!(!rooms.leave("a", 1));
        assert!(!rooms.leave("a", 1));
        assert!(rooms.has_members("a"));
        assert!(rooms.leave("a", 2));
        assert!(!rooms.has_members("a"));
        assert_eq!(rooms.count(), 0);
    }

    #[test]
    fn a_room_hears_its_own_messages_only_and_a_full_member_stops_no_other() {
        let (rooms, metrics) = (Rooms::default(), Metrics::default());
        let (slow, quick, elsewhere) = (outbox(), outbox(), outbox());
        rooms.join(&room("a"), 1, &slow);
        rooms.join(&room("a"), 2, &quick);
        rooms.join(&room("b"), 3, &elsewhere);
        slow.push(Hi.say(Encoding::Json));

        let delivered = rooms.deliver("a", &Hi, &metrics);

        assert_eq!(delivered, 1);
        assert_eq!(metrics.slow_consumers.get(), 1);
        assert_eq!(metrics.deliveries.get(), 1);
        assert_eq!(elsewhere.push(Hi.say(Encoding::Json)), Pushed::Queued);
    }

    #[test]
    fn members_that_come_and_go_at_once_leave_nothing_behind() {
        let rooms = Rooms::default();

        std::thread::scope(|scope| {
            for key in 0..4 {
                let rooms = &rooms;
                scope.spawn(move || {
                    let outbox = outbox();
                    for _ in 0..2_000 {
                        assert!(rooms.join(&room("a"), key, &outbox) >= 1);
                        assert!(rooms.has_members("a"));
                        rooms.leave("a", key);
                    }
                });
            }
        });

        assert_eq!(rooms.count(), 0);
    }
}
