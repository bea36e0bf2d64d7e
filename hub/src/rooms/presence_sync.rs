//! When pods tell each other, and clients are told, of who comes and goes: little by little, so that a thousand who come at
//! once are a few announcements.

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

/// Each room has its changes told to the other pods at most so often.
pub(super) const PACE: Duration = Duration::from_millis(250);

impl Rooms {
    /// Waits until something is to be told to other pods, and gives it: rooms, and what to publish there. Members here are told
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
        // Nothing is lost when this is cancelled here.
        let again = scopeguard(&self.presence_queue.changed);
        tokio::time::sleep(PACE).await;
        again.forget();
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

    /// A pod is gone, and nobody on it is in any room.
    pub fn forget_hub(&self, instance: &str) {
        for room in self.all() {
            let mut state = room.lock();
            let is_watched = state.watchers > 0;
            state.presence.remove_peer(instance, is_watched);
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// Forgets what came from other pods than these. One that is new may not have been heard of yet, so all are asked again.
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

    /// The connection to the backplane is a new one: messages may have been missed, and who is where has to be said again.
    pub fn resume(&self, now: Instant) {
        for room in self.all() {
            let mut state = room.lock();
            state.timeline.fall_behind();
            state.presence.mark_unconfirmed(now);
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// A pod that was taken for gone is there: it is asked for its members, and so are all.
    pub fn resync(&self) {
        for room in self.all() {
            let mut state = room.lock();
            state.presence.request_resync();
            self.presence_queue.enqueue_change(&room, &mut state);
        }
    }

    /// How many members of rooms are known on other pods.
    pub fn remote_members(&self) -> usize {
        self.all().iter().map(|room| room.lock().presence.remote_count().0).sum()
    }
}

/// Puts a permit back if the wait after it is cancelled.
fn scopeguard(notify: &Notify) -> Again<'_> {
    Again(Some(notify))
}

struct Again<'a>(Option<&'a Notify>);

impl Again<'_> {
    fn forget(mut self) {
        self.0 = None;
    }
}

impl Drop for Again<'_> {
    fn drop(&mut self) {
        if let Some(notify) = self.0 {
            notify.notify_one();
        }
    }
}
