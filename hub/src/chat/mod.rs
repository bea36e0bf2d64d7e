//! What a client can do: the hub's methods, with plain types in and out. How they are called is others' concern.

mod answers;
mod audiences;
mod rooms;
mod words;

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, Weak};
use std::time::Instant;

pub use self::answers::{Joined, WhoIsThere};
pub use self::audiences::Audiences;
pub use self::words::Audience;
use crate::backplane::{Receipt, Topic};
use crate::guards::Identity;
use crate::hub::Hub;
use crate::outbox::Outbox;
use crate::protocol::room::{GroupName, MemberName, RoomName};
use crate::rooms::{ConnectionKey, Member, Rooms, Who};

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
    /// What clients call it.
    pub id: String,
    /// Its queue.
    pub outbox: Arc<Outbox>,
    /// Whose it is.
    pub identity: Arc<Identity>,
}

/// A client as one of many: in which rooms it is, and what it is called in each. Dropped, it is in none any more.
#[derive(Debug)]
pub struct Participant {
    hub: Arc<Hub>,
    connection: Connection,
    rooms: HashMap<RoomName, Membership>,
    groups: HashSet<GroupName>,
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
        Self { hub, connection, rooms: HashMap::new(), groups: HashSet::new() }
    }

    /// The client has shaken hands: from now on it hears what is for all, for its user, and for this connection.
    pub fn connected(&self) {
        let member = self.member();
        self.hub.audiences.connected(&self.connection.id, &member);
        if let Some(user) = &self.connection.identity.user {
            self.hub.audiences.join(&Topic::User(Arc::clone(user)), &member);
        }
    }

    fn member(&self) -> Member {
        let Connection { key, outbox, identity, .. } = &self.connection;
        let who = Arc::new(Who { name: MemberName::default(), user: identity.user.clone() });
        Member { key: *key, outbox: Arc::clone(outbox), who, presence: false }
    }

    /// Leaves all rooms, and hears nothing any more.
    pub fn leave_all(&mut self) {
        let Connection { key, id, identity, .. } = &self.connection;
        self.hub.audiences.disconnected(id, *key);
        if let Some(user) = &identity.user {
            self.hub.audiences.leave(&Topic::User(Arc::clone(user)), *key);
        }
        for group in std::mem::take(&mut self.groups) {
            self.hub.audiences.leave(&Topic::Group(group), *key);
        }
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
