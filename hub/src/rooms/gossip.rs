//! Rooms of which something is to be told, to other pods or to the members here.

use std::sync::{Arc, Mutex};

use tokio::sync::Notify;

use super::room::{Room, State};
use crate::protocol::room::RoomName;
use crate::sync::lock;

/// What is to be told.
#[derive(Debug, Default)]
pub(super) struct Gossip {
    pub(super) stirred: Mutex<Vec<Arc<Room>>>,
    pub(super) stir: Notify,
    pub(super) answers: Mutex<Vec<Arc<Room>>>,
    pub(super) answer: Notify,
    pub(super) farewells: Mutex<Vec<(RoomName, String)>>,
}

impl Gossip {
    /// A room that nobody here is in any more tells so.
    pub(super) fn farewell(&self, room: &RoomName, farewell: String) {
        lock(&self.farewells).push((room.clone(), farewell));
        self.stir.notify_one();
    }

    /// A pod that is new to a room waits to be told who is here.
    pub(super) fn answer(&self, room: &Arc<Room>) {
        let mut answers = lock(&self.answers);
        // Several newcomers need but one answer.
        if !answers.iter().any(|waiting| Arc::ptr_eq(waiting, room)) {
            answers.push(Arc::clone(room));
            self.answer.notify_one();
        }
    }

    /// There may be something to tell of a room.
    pub(super) fn stir(&self, room: &Arc<Room>, state: &mut State) {
        if !state.stirred && state.crowd.is_busy() {
            state.stirred = true;
            lock(&self.stirred).push(Arc::clone(room));
            self.stir.notify_one();
        }
    }
}
