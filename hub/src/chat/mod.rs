//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod answers;
mod rooms;

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Instant;

pub use self::answers::{Joined, WhoIsThere};
use crate::backplane::{Receipt, Topic};
use crate::guards::Identity;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::protocol::room::RoomName;
use crate::rooms::{ConnectionKey, Rooms, Who};

/// Tells other pods who comes and goes, as long as the hub runs.
pub async fn gossip(rooms: Arc<Rooms>, hub: Weak<Hub>) {
    loop {
        for (room, word) in rooms.gossip().await {
            let Some(hub) = hub.upgrade() else { return };
            // Without a backplane there is nobody to tell, and with a new one all is said again.
            hub.backplane.publish(Topic::Room(room), word, Receipt::new(|_| ())).await;
        }
    }
}

/// A connection that may call methods.
#[derive(Debug, Clone)]
pub struct Connection {
    /// Tells it from the others of this pod.
    pub key: ConnectionKey,
    /// Its queue.
    pub outbox: Arc<Outbox>,
    /// Whose it is.
    pub identity: Identity,
}

/// A client as one of many: in which rooms it is, and what it is called in each. Dropped, it is in none any more.
#[derive(Debug)]
pub struct Participant {
    hub: Arc<Hub>,
    connection: Connection,
    rooms: HashMap<RoomName, Membership>,
}

#[derive(Debug)]
struct Membership {
    who: Arc<Who>,
    /// When the others were last told that this one is writing.
    typed: Option<Instant>,
}

impl Participant {
    /// In no room.
    pub fn new(hub: Arc<Hub>, connection: Connection) -> Self {
        Self { hub, connection, rooms: HashMap::new() }
    }

    /// Leaves all rooms.
    pub fn leave_all(&mut self) {
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.hub.rooms.leave(room.as_str(), self.connection.key);
        }
    }
}

impl Drop for Participant {
    /// Also when its task panics or is cancelled.
    fn drop(&mut self) {
        self.leave_all();
    }
}
