//! The difference in a room's members that those on this hub are still to be told.

use std::collections::HashMap;

use crate::members::ConnectionKey;
use crate::protocol::presence::MemberInfo;

/// The most members of a pod that others know by name; beyond that, they are counted.
pub(super) const MOST_NAMED: usize = 1_000;

/// The members that joined and left, by process and key, so that one that joins and leaves is not told of.
#[derive(Debug, Default)]
pub(super) struct PresenceDiff {
    pub(super) joined: HashMap<(Box<str>, ConnectionKey), MemberInfo>,
    pub(super) left: HashMap<(Box<str>, ConnectionKey), MemberInfo>,
    pub(super) too_many: bool,
    pub(super) changed: bool,
}

impl PresenceDiff {
    pub(super) fn joined(&mut self, instance: &str, key: ConnectionKey, member: &MemberInfo) {
        self.changed = true;
        let id = (instance.into(), key);
        if self.left.get(&id) == Some(member) {
            self.left.remove(&id);
        } else if !self.is_full() {
            self.joined.insert(id, member.clone());
        }
    }

    pub(super) fn left(&mut self, instance: &str, key: ConnectionKey, member: MemberInfo) {
        self.changed = true;
        let id = (instance.into(), key);
        if self.joined.remove(&id).is_none() && !self.is_full() {
            self.left.insert(id, member);
        }
    }

    fn is_full(&mut self) -> bool {
        self.too_many |= self.joined.len() + self.left.len() >= MOST_NAMED;
        self.too_many
    }
}
