//! Membership in a room of a connection that is handed over to another hub.

use std::sync::Arc;
use std::time::Duration;

use super::registry::Rooms;
use crate::members::{ConnectionKey, Member};
use crate::outbox::Outbox;
use crate::protocol::position::Position;

/// The time for the hub that takes a connection over to announce its member.
const ARRIVAL: Duration = Duration::from_secs(2);

impl Rooms {
    /// Ends the delivery of a room to a connection that continues on another hub, and returns the last
    /// message that was delivered to it. Other members see it here until that hub announces it, or until it
    /// leaves. `closed` replaces the member's queue.
    pub fn hand_over(&self, name: &str, key: ConnectionKey, closed: &Arc<Outbox>) -> Option<Position> {
        let room = self.find(name)?;
        let mut state = room.lock();
        if let Some(member) = state.members.get(key).cloned() {
            state.awaiting_history.retain(|(waiting, _)| *waiting != key);
            state.members.insert(Member { outbox: Arc::clone(closed), ..member });
        }
        state.timeline.last()
    }

    /// Waits until another hub has announced a connection that was handed over. After two seconds without an
    /// announcement, the connection leaves the room.
    pub async fn finish_handover(&self, name: &str, key: ConnectionKey) {
        let Some(room) = self.find(name) else { return };
        let removed = async {
            loop {
                let notified = room.synced.notified();
                if room.lock().members.get(key).is_none() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(ARRIVAL, removed).await.is_err() {
            self.leave(name, key);
        }
    }
}
