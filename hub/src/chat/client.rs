//! A client as one of many: in which rooms and groups it is.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Instant;

use super::services::ChatServices;
use crate::guards::ClientIdentity;
use crate::members::{ConnectionKey, Member, MemberIdentity};
use crate::outbox::Outbox;
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::names::{GroupName, MemberName, RoomName};
use crate::topics::Topic;

/// A connection that may call methods.
#[derive(Debug, Clone)]
pub struct ConnectionHandle {
    /// Tells it from the others of this pod.
    pub key: ConnectionKey,
    /// What clients call it.
    pub id: String,
    /// Its queue.
    pub outbox: Arc<Outbox>,
    /// Whose it is.
    pub identity: Arc<ClientIdentity>,
}

/// A client as one of many: in which rooms it is, and what it is called in each. Dropped, it is in none any more.
#[derive(Debug)]
pub struct Client {
    pub(super) services: Arc<ChatServices>,
    pub(super) connection: ConnectionHandle,
    pub(super) rooms: HashMap<RoomName, Membership>,
    pub(super) groups: HashSet<GroupName>,
    /// The connection's origin on the hub it was handed over from.
    pub(super) origin: Option<Arc<str>>,
}

#[derive(Debug)]
pub(super) struct Membership {
    pub(super) identity: Arc<MemberIdentity>,
    /// It wants to know of the others.
    pub(super) wants_presence: bool,
    /// When the others were last told that this one is writing.
    pub(super) typed: Option<Instant>,
}

impl Client {
    /// In no room.
    pub fn new(services: Arc<ChatServices>, connection: ConnectionHandle) -> Self {
        Self { services, connection, rooms: HashMap::new(), groups: HashSet::new(), origin: None }
    }

    /// The client has shaken hands: from now on it hears what is for all, for its user, and for this connection.
    pub fn connected(&self) {
        let member = self.member();
        self.services.audiences.connected(&self.connection.id, &member);
        if let Some(user) = &self.connection.identity.user {
            self.services.audiences.subscribe(&Topic::User(Arc::clone(user)), &member);
        }
    }

    pub(super) fn member(&self) -> Member {
        let ConnectionHandle { key, outbox, identity, .. } = &self.connection;
        let member_identity =
            Arc::new(MemberIdentity { name: MemberName::default(), user: identity.user.clone() });
        let origin = self.origin.clone();
        Member {
            key: *key,
            outbox: Arc::clone(outbox),
            identity: member_identity,
            wants_presence: false,
            origin,
        }
    }

    /// This connection, for other hubs.
    pub(super) fn connection_ref(&self) -> ConnectionRef<'_> {
        ConnectionRef { instance: self.services.instance.as_str().into(), key: self.connection.key }
    }

    /// Leaves all rooms, and hears nothing any more.
    pub fn leave_all(&mut self) {
        let ConnectionHandle { key, id, identity, .. } = &self.connection;
        if let Some(user) = &identity.user {
            self.services.audiences.unsubscribe(&Topic::User(Arc::clone(user)), *key);
        }
        for group in std::mem::take(&mut self.groups) {
            self.services.audiences.unsubscribe(&Topic::Group(group), *key);
        }
        // Last, for it also forgets that another hub tells the client by now what is said.
        self.services.audiences.disconnected(id, *key);
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.services.rooms.leave(room.as_str(), self.connection.key);
        }
    }
}

impl Drop for Client {
    /// Also when its task panics or is cancelled.
    fn drop(&mut self) {
        self.leave_all();
    }
}
