//! Changes of a room's members, of which the members on this hub have not been notified yet.

use std::collections::HashMap;

use crate::members::ConnectionKey;
use crate::protocol::presence::MemberInfo;

/// The most members of a pod that other pods know by name; beyond that, members are only counted.
pub const MOST_NAMED: usize = 1_000;

/// Members that joined and left since the last notice, by process and key. A member that joins and leaves
/// between two notices is not in it.
#[derive(Debug, Default)]
pub(super) struct PresenceDiff {
    pub(super) joined: HashMap<(Box<str>, ConnectionKey), MemberInfo>,
    pub(super) left: HashMap<(Box<str>, ConnectionKey), MemberInfo>,
    /// True if there were too many changes to name them.
    pub(super) too_many: bool,
    /// True if anything changed, the count included.
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
