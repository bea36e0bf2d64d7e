//! A client as one of many: in which rooms and groups it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::services::ChatServices;
use crate::guards::Identity;
use crate::members::{ConnectionKey, Member, Who};
use crate::outbox::Outbox;
use crate::protocol::room::{GroupName, MemberName, RoomName};
use crate::protocol::said::Origin;
use crate::topics::Topic;

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
    pub(super) services: Arc<ChatServices>,
    pub(super) connection: Connection,
    pub(super) rooms: HashMap<RoomName, Membership>,
    pub(super) groups: HashSet<GroupName>,
    /// What it was at the hub that it came from.
    pub(super) former: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Membership {
    pub(super) who: Arc<Who>,
    /// It wants to know of the others.
    pub(super) presence: bool,
    /// When the others were last told that this one is writing.
    pub(super) typed: Option<Instant>,
}

impl Participant {
    /// In no room.
    pub fn new(services: Arc<ChatServices>, connection: Connection) -> Self {
        Self { services, connection, rooms: HashMap::new(), groups: HashSet::new(), former: None }
    }

    /// The client has shaken hands: from now on it hears what is for all, for its user, and for this connection.
    pub fn connected(&self) {
        let member = self.member();
        self.services.audiences.connected(&self.connection.id, &member);
        if let Some(user) = &self.connection.identity.user {
            self.services.audiences.join(&Topic::User(Arc::clone(user)), &member);
        }
    }

    pub(super) fn member(&self) -> Member {
        let Connection { key, outbox, identity, .. } = &self.connection;
        let who = Arc::new(Who { name: MemberName::default(), user: identity.user.clone() });
        let former = self.former.clone();
        Member { key: *key, outbox: Arc::clone(outbox), who, presence: false, former }
    }

    /// This connection, for other hubs.
    pub(super) fn origin(&self) -> Origin<'_> {
        Origin { instance: self.services.instance.as_str().into(), key: self.connection.key }
    }

    /// Leaves all rooms, and hears nothing any more.
    pub fn leave_all(&mut self) {
        let Connection { key, id, identity, .. } = &self.connection;
        if let Some(user) = &identity.user {
            self.services.audiences.leave(&Topic::User(Arc::clone(user)), *key);
        }
        for group in std::mem::take(&mut self.groups) {
            self.services.audiences.leave(&Topic::Group(group), *key);
        }
        // Last, for it also forgets that another hub tells the client by now what is said.
        self.services.audiences.disconnected(id, *key);
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.services.rooms.leave(room.as_str(), self.connection.key);
        }
    }
}

impl Drop for Participant {
    /// Also when its task panics or is cancelled.
    fn drop(&mut self) {
        self.leave_all();
    }
}
