//! How someone goes on at another hub.

use std::sync::Arc;
use std::time::Duration;

use super::registry::Rooms;
use crate::members::{ConnectionKey, Member};
use crate::outbox::Outbox;
use crate::protocol::position::Position;

/// For the hub that goes on with a connection to say that it is there.
const ARRIVAL: Duration = Duration::from_secs(2);

impl Rooms {
    /// A connection goes on at another hub: it hears the room no more, and said is up to which message it has. The others see it here
    /// until that hub says that it is there, or until it leaves.
    pub fn hand_over(&self, name: &str, key: ConnectionKey, closed: &Arc<Outbox>) -> Option<Position> {
        let room = self.find(name)?;
        let mut state = room.lock();
        if let Some(member) = state.members.get(key).cloned() {
            state.awaiting_history.retain(|(waiting, _)| *waiting != key);
            state.members.insert(Member { outbox: Arc::clone(closed), ..member });
        }
        state.timeline.last()
    }

    /// Waits until a connection that has departed is at another hub, but not for long, and has it leave.
    pub async fn finish_handover(&self, name: &str, key: ConnectionKey) {
        let Some(room) = self.find(name) else { return };
        let gone = async {
            loop {
                let notified = room.synced.notified();
                if room.lock().members.get(key).is_none() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(ARRIVAL, gone).await.is_err() {
            self.leave(name, key);
        }
    }
}
