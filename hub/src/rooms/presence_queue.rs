//! Queues of rooms with presence to announce, to other hubs or to the members here.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::room::{Room, State};
use crate::protocol::names::RoomName;
use crate::sync::lock;

/// The queues of rooms with presence to announce, and the signals that they are not empty.
#[derive(Debug, Default)]
pub(super) struct PresenceQueue {
    pub(super) changed_rooms: Mutex<Vec<Arc<Room>>>,
    pub(super) changed: Notify,
    pub(super) list_requests: Mutex<Vec<Arc<Room>>>,
    pub(super) list_requested: Notify,
    pub(super) leave_announcements: Mutex<Vec<(RoomName, String)>>,
}

impl PresenceQueue {
    /// Queues the announcement that no member is left here in a room.
    pub(super) fn announce_leave(&self, room: &RoomName, announcement: String) {
        lock(&self.leave_announcements).push((room.clone(), announcement));
        self.changed.notify_one();
    }

    /// Queues the list of a room's members here, because another hub has asked for it.
    pub(super) fn enqueue_list(&self, room: &Arc<Room>) {
        let mut requests = lock(&self.list_requests);
        // One list answers several requests.
        if !requests.iter().any(|waiting| Arc::ptr_eq(waiting, room)) {
            requests.push(Arc::clone(room));
            self.list_requested.notify_one();
        }
    }

    /// Queues a room if it has changes to announce and is not in the queue.
    pub(super) fn enqueue_change(&self, room: &Arc<Room>, state: &mut State) {
        if !state.enqueued && state.presence.has_pending() {
            state.enqueued = true;
            lock(&self.changed_rooms).push(Arc::clone(room));
            self.changed.notify_one();
        }
    }
}
