//! The client of a connection: its rooms and groups.

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

/// A connection whose client may call the hub's methods.
#[derive(Debug, Clone)]
pub struct ConnectionHandle {
    /// The key of the connection in this process.
    pub key: ConnectionKey,
    /// The id of the connection, for clients.
    pub id: String,
    /// The queue of the connection.
    pub outbox: Arc<Outbox>,
    /// The identity of the client.
    pub identity: Arc<ClientIdentity>,
}

/// The client of a connection: its rooms with its name in each, and its groups. A client that is dropped
/// leaves all of them.
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
    /// True if the client wants presence notices.
    pub(super) wants_presence: bool,
    /// The time when the other members were last notified that this one is writing.
    pub(super) typed: Option<Instant>,
}

impl Client {
    /// A client in no room.
    pub fn new(services: Arc<ChatServices>, connection: ConnectionHandle) -> Self {
        Self { services, connection, rooms: HashMap::new(), groups: HashSet::new(), origin: None }
    }

    /// Notes that the client's handshake is done: from now on it receives invocations of all clients, of its
    /// user, and of this connection.
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

    /// This connection, as other hubs refer to it.
    pub(super) fn connection_ref(&self) -> ConnectionRef<'_> {
        ConnectionRef { instance: self.services.instance.as_str().into(), key: self.connection.key }
    }

    /// Leaves all rooms and groups. The client receives nothing any more.
    pub fn leave_all(&mut self) {
        let ConnectionHandle { key, id, identity, .. } = &self.connection;
        if let Some(user) = &identity.user {
            self.services.audiences.unsubscribe(&Topic::User(Arc::clone(user)), *key);
        }
        for group in std::mem::take(&mut self.groups) {
            self.services.audiences.unsubscribe(&Topic::Group(group), *key);
        }
        // This comes after the groups, because it also forgets that another hub may deliver to the client by
        // now.
        self.services.audiences.disconnected(id, *key);
        for room in std::mem::take(&mut self.rooms).into_keys() {
            self.services.rooms.leave(room.as_str(), self.connection.key);
        }
    }
}

impl Drop for Client {
    /// Leaves all rooms and groups, also when the client's task panics or is cancelled.
    fn drop(&mut self) {
        self.leave_all();
    }
}
