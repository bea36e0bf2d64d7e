//! When pods tell each other, and clients are told, of who comes and goes: little by little, so that a thousand who come at
//! once are a few words.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use signalr::encoding::Once;
use tokio::sync::Notify;

use super::crowd;
use super::registry::Rooms;
use super::room::{Room, State};
use crate::protocol::room::RoomName;
use crate::sync::lock;

/// Each room has its changes told to the other pods at most so often.
pub(super) const PACE: Duration = Duration::from_millis(250);

impl Rooms {
    /// Waits until something is to be told to other pods, and gives it: rooms, and what to publish there. Members here are told
    /// meanwhile. Only one task may wait.
    pub async fn gossip(&self) -> Vec<(RoomName, String)> {
        loop {
            let words = tokio::select! {
                biased;
                () = self.gossip.answer.notified() => self.answers(),
                () = self.stirred() => self.tell(Instant::now()),
            };
            if !words.is_empty() {
                return words;
            }
        }
    }

    async fn stirred(&self) {
        self.gossip.stir.notified().await;
        // Nothing is lost when this is cancelled here.
        let again = scopeguard(&self.gossip.stir);
        tokio::time::sleep(PACE).await;
        again.forget();
    }

    fn answers(&self) -> Vec<(RoomName, String)> {
        let rooms = std::mem::take(&mut *lock(&self.gossip.answers));
        let list = |room: Arc<Room>| {
            let state = room.lock();
            (room.name.clone(), crowd::list(State::here(&state.members, &self.home), false))
        };
        rooms.into_iter().map(list).collect()
    }

    fn tell(&self, now: Instant) -> Vec<(RoomName, String)> {
        let mut words = std::mem::take(&mut *lock(&self.gossip.farewells));
        let rooms = std::mem::take(&mut *lock(&self.gossip.stirred));
        for room in rooms {
            let mut state = room.lock();
            state.stirred = false;
            if state.abandoned {
                continue;
            }
            let State { crowd, members, watchers, .. } = &mut *state;
            let here = State::here(members, &self.home);
            words.extend(crowd.tell_peers(here, now, *watchers > 0).map(|word| (room.name.clone(), word)));
            if *watchers == 0 {
                crowd.drop_news();
            } else if let Some(presence) = crowd.tell_members(room.name.as_str(), here, now) {
                let once = Once::new(&presence);
                members.tell(|encoding| once.record(encoding), |member| member.presence, &self.metrics);
            }
            self.gossip.stir(&room, &mut state);
        }
        words
    }

    /// A pod is gone, and nobody on it is in any room.
    pub fn forget(&self, instance: &str) {
        for room in self.all() {
            let mut state = room.lock();
            let is_watched = state.watchers > 0;
            state.crowd.forget(instance, is_watched);
            self.gossip.stir(&room, &mut state);
        }
    }

    /// Forgets what came from other pods than these. One that is new may not have been heard of yet, so all are asked again.
    pub fn forget_all_but(&self, instances: &HashSet<String>) {
        for room in self.all() {
            let mut state = room.lock();
            let is_watched = state.watchers > 0;
            for stranger in state.crowd.strangers(instances) {
                state.crowd.forget(&stranger, is_watched);
                state.crowd.ask_again();
            }
            self.gossip.stir(&room, &mut state);
        }
    }

    /// The connection to the backplane is a new one: messages may have been missed, and who is where has to be said again.
    pub fn resume(&self, now: Instant) {
        for room in self.all() {
            let mut state = room.lock();
            state.timeline.fall_behind();
            state.crowd.doubt(now);
            self.gossip.stir(&room, &mut state);
        }
    }

    /// A pod that was taken for gone is there: it is asked for its members, and so are all.
    pub fn doubt(&self) {
        for room in self.all() {
            let mut state = room.lock();
            state.crowd.ask_again();
            self.gossip.stir(&room, &mut state);
        }
    }

    /// How many members of rooms are known on other pods.
    pub fn known_elsewhere(&self) -> usize {
        self.all().iter().map(|room| room.lock().crowd.elsewhere().0).sum()
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
