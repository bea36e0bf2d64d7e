//! Announces presence to other pods and to clients. Announcements are paced, so that a thousand members who
//! join at once cause only a few.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalr::encoding::EncodedOnce;
use tokio::sync::Notify;

use super::presence;
use super::registry::Rooms;
use super::room::{Room, State};
use crate::protocol::names::RoomName;
use crate::sync::lock;

/// The least time between two announcements of a room's changes to the other pods.
pub(super) const PACE: Duration = Duration::from_millis(250);

impl Rooms {
    /// Waits for announcements to other pods, and returns them with their rooms. Members here are notified
    /// meanwhile. Only one task may wait.
    pub async fn next_announcements(&self) -> Vec<(RoomName, String)> {
        loop {
            let announcements = tokio::select! {
                biased;
                () = self.presence_queue.list_requested.notified() => self.requested_lists(),
                () = self.changed() => self.changes(Instant::now()),
            };
            if !announcements.is_empty() {
                return announcements;
            }
        }
    }

    async fn changed(&self) {
        self.presence_queue.changed.notified().await;
        // If this future is dropped during the pause, the permit is restored, so that no change is lost.
        let permit = RestorePermit(Some(&self.presence_queue.changed));
        tokio::time::sleep(PACE).await;
        permit.forget();
    }

    fn requested_lists(&self) -> Vec<(RoomName, String)> {
        let rooms = std::mem::take(&mut *lock(&self.presence_queue.list_requests));
        let list = |room: Arc<Room>| {
            let state = room.lock();
            (
                room.name.clone(),
                presence::member_list(State::local_members(&state.members, &self.local_hub), false),
            )
        };
        rooms.into_iter().map(list).collect()
    }

    fn changes(&self, now: Instant) -> Vec<(RoomName, String)> {
        let mut announcements = std::mem::take(&mut *lock(&self.presence_queue.leave_announcements));
        let rooms = std::mem::take(&mut *lock(&self.presence_queue.changed_rooms));
        for room in rooms {
            let mut state = room.lock();
            state.enqueued = false;
            if state.abandoned {
                continue;
            }
            let State { presence, members, watchers, .. } = &mut *state;
            let local = State::local_members(members, &self.local_hub);
            announcements.extend(
                presence
                    .next_announcement(local, now, *watchers > 0)
                    .map(|announcement| (room.name.clone(), announcement)),
            );
            if *watchers == 0 {
                presence.discard_diff();
            } else if let Some(presence) = presence.next_notice(room.name.as_str(), local, now) {
                let encoded = EncodedOnce::new(&presence);
                members.deliver(
                    |encoding| encoded.record(encoding),
                    |member| member.wants_presence,
                    &self.metrics,
                );
            }
            self.presence_queue.enqueue_change(&room, &mut state);
        }
        announcements
    }

    /// Removes the members of a hub that is gone from all rooms.
    pub fn forget_hub(&self, instance: &str) {
        for room in self.all() {
            let mut state = room.lock();
            let is_watched = state.watchers > 0;
            state.presence.remove_peer(instance, is_watched);
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// Removes the members of all hubs but these. A hub that is new may not have been heard of yet, so all
    /// hubs are asked for their lists again.
    pub fn retain_hubs(&self, instances: &HashSet<String>) {
        for room in self.all() {
            let mut state = room.lock();
            let is_watched = state.watchers > 0;
            for stranger in state.presence.unknown_peers(instances) {
                state.presence.remove_peer(&stranger, is_watched);
                state.presence.request_resync();
            }
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// Handles a reconnect to the backplane: messages may have been missed, and all hubs have to announce
    /// their members again.
    pub fn resume(&self, now: Instant) {
        for room in self.all() {
            let mut state = room.lock();
            state.timeline.fall_behind();
            state.presence.mark_unconfirmed(now);
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// Asks all hubs for their members, because a hub that was taken for dead is alive.
    pub fn resync(&self) {
        for room in self.all() {
            let mut state = room.lock();
            state.presence.request_resync();
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// The number of members on other pods, in all rooms with a member here.
    pub fn remote_members(&self) -> usize {
        self.all().iter().map(|room| room.lock().presence.remote_count().0).sum()
    }
}

/// Restores the permit of a [`Notify`] when it is dropped, unless [`RestorePermit::forget`] was called.
struct RestorePermit<'a>(Option<&'a Notify>);

impl RestorePermit<'_> {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for RestorePermit<'_> {
    fn drop(&mut self) {
        if let Some(notify) = self.0 {
            notify.notify_one();
        }
    }
}
