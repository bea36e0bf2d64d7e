//! Sets of this hub's connections that receive the same messages: the members of a room, of a group, or of a
//! user.

use std::collections::HashMap;
use std::sync::Arc;

use crate::metrics::Metrics;
use crate::outbox::{Outbox, Pushed};
#[cfg(doc)]
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::names::MemberName;
use signalr::encoding::Encoding;
use signalr::record::Record;

/// The number of a connection in this process; never reused.
pub type ConnectionKey = u64;

/// A member's name and user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberIdentity {
    /// The name that the member chose.
    pub name: MemberName,
    /// The user, by the member's token, if clients are authenticated.
    pub user: Option<Arc<str>>,
}

/// A connection in a set of connections that receive the same messages.
#[derive(Debug, Clone)]
pub struct Member {
    /// The connection.
    pub key: ConnectionKey,
    /// The connection's queue.
    pub outbox: Arc<Outbox>,
    /// The member's name here, and its user.
    pub identity: Arc<MemberIdentity>,
    /// True if the member wants to be notified of the others.
    pub wants_presence: bool,
    /// The connection's origin on the hub it was handed over from, as a [`ConnectionRef`].
    pub origin: Option<Arc<str>>,
}

/// A set of connections. They are kept in one dense list, because every message goes through all of them.
#[derive(Debug, Default)]
pub struct Members {
    list: Vec<Member>,
    places: HashMap<ConnectionKey, usize>,
}

impl Members {
    /// Adds a member. Replaces and returns an earlier member of the same key.
    pub fn insert(&mut self, member: Member) -> Option<Member> {
        if let Some(&place) = self.places.get(&member.key) {
            return Some(std::mem::replace(&mut self.list[place], member));
        }
        self.places.insert(member.key, self.list.len());
        self.list.push(member);
        None
    }

    /// Removes and returns a member.
    pub fn remove(&mut self, key: ConnectionKey) -> Option<Member> {
        let place = self.places.remove(&key)?;
        let member = self.list.swap_remove(place);
        if let Some(moved) = self.list.get(place) {
            self.places.insert(moved.key, place);
        }
        Some(member)
    }

    /// The member with this key.
    pub fn get(&self, key: ConnectionKey) -> Option<&Member> {
        self.places.get(&key).map(|&place| &self.list[place])
    }

    /// The number of members.
    pub fn len(&self) -> usize {
        self.list.len()
    }

    /// True if there are no members.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// All members, in no particular order.
    pub fn iter(&self) -> impl Iterator<Item = &Member> {
        self.list.iter()
    }

    /// Queues a record for each member that `receives` selects.
    pub fn deliver<'r>(
        &self,
        record: impl Fn(Encoding) -> &'r Record,
        receives: impl Fn(&Member) -> bool,
        metrics: &Metrics,
    ) {
        let mut delivered = 0;
        for member in self.list.iter().filter(|member| receives(member)) {
            match member.outbox.push(record(member.outbox.encoding()).clone()) {
                Pushed::Queued => delivered += 1,
                Pushed::Ended => {}
                Pushed::Overflow => {
                    metrics.slow_consumers.inc();
                }
            }
        }
        metrics.deliveries.inc_by(delivered);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::outbox::Limits;

    pub(crate) fn member(key: ConnectionKey, records: usize) -> Member {
        let outbox = Outbox::alone(Limits { records, bytes: 1_000 });
        let identity = Arc::new(MemberIdentity { name: MemberName::default(), user: None });
        Member { key, outbox, identity, wants_presence: false, origin: None }
    }

    #[test]
    fn members_are_found_after_others_have_left() {
        let mut members = Members::default();
        for key in 0..10 {
            assert!(members.insert(member(key, 1)).is_none());
        }
        assert_eq!(members.insert(member(3, 1)).unwrap().key, 3);

        for key in [0, 9, 4] {
            assert_eq!(members.remove(key).unwrap().key, key);
            assert!(members.remove(key).is_none());
        }

        assert_eq!(members.len(), 7);
        for key in [1, 2, 3, 5, 6, 7, 8] {
            assert_eq!(members.get(key).unwrap().key, key);
        }
    }

    #[test]
    fn a_full_member_stops_no_other() {
        let (mut members, metrics) = (Members::default(), Metrics::default());
        for key in 0..3 {
            members.insert(member(key, 1));
        }
        let record = Encoding::Json.invocation(None, "hi", &[(); 0]);
        members.get(0).unwrap().outbox.push(record.clone());

        members.deliver(|_| &record, |member| member.key != 2, &metrics);

        assert_eq!(metrics.slow_consumers.get(), 1);
        assert_eq!(metrics.deliveries.get(), 1);
        assert_eq!(members.get(2).unwrap().outbox.push(record), Pushed::Queued);
    }
}
