//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod answers;
mod rooms;

use std::collections::HashMap;
use std::sync::Arc;

pub use self::answers::Joined;
use crate::guards::Identity;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::protocol::room::RoomName;
use crate::rooms::{ConnectionKey, Who};

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
