//! What the members here are to be told of who came and went.

use std::collections::HashMap;

use crate::members::ConnectionKey;
use crate::protocol::presence::Person;

/// The most members of a pod that others know by name; beyond that, they are counted.
pub(super) const MOST_NAMED: usize = 1_000;

/// By process and key, so that who comes and goes is not told of.
#[derive(Debug, Default)]
pub(super) struct News {
    pub(super) joined: HashMap<(Box<str>, ConnectionKey), Person>,
    pub(super) left: HashMap<(Box<str>, ConnectionKey), Person>,
    pub(super) too_many: bool,
    pub(super) any: bool,
}

impl News {
    pub(super) fn joined(&mut self, instance: &str, key: ConnectionKey, person: &Person) {
        self.any = true;
        let id = (instance.into(), key);
        if self.left.get(&id) == Some(person) {
            self.left.remove(&id);
        } else if !self.is_full() {
            self.joined.insert(id, person.clone());
        }
    }

    pub(super) fn left(&mut self, instance: &str, key: ConnectionKey, person: Person) {
        self.any = true;
        let id = (instance.into(), key);
        if self.joined.remove(&id).is_none() && !self.is_full() {
            self.left.insert(id, person);
        }
    }

    fn is_full(&mut self) -> bool {
        self.too_many |= self.joined.len() + self.left.len() >= MOST_NAMED;
        self.too_many
    }
}
