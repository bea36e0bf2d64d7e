//! One hub alone: what Redis does for many, in this process. Rooms are kept as long and as much as there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::inbound::Inbound;
use super::letter::{History, Letter, NONCE_LIFETIME, Stored};
use super::receipt::Receipt;
use crate::clock;
use crate::protocol::position::Position;
use crate::protocol::room::RoomName;
use crate::protocol::said::Said;
use crate::rooms::timeline::Reading;
use crate::sync::lock;
use crate::topics::Topic;

/// The most rooms of which a history is kept; those that were silent for longest go first.
const MOST_ROOMS: usize = 1_000;

/// The most bytes of messages that are kept of a room.
const MOST_BYTES: usize = 512 * 1024;

/// The most nonces that are remembered of a room.
const MOST_NONCES: usize = 10_000;

/// How often what has outlived its time is looked for.
const SWEEP: Duration = Duration::from_secs(10);

/// See the module.
#[derive(Debug)]
pub struct Memory {
    inbound: Inbound,
    instance: String,
    history: History,
    store: Mutex<Store>,
}

#[derive(Debug)]
struct Store {
    logs: HashMap<RoomName, Arc<Mutex<Log>>>,
    swept: Instant,
}

/// One room's messages.
#[derive(Debug)]
struct Log {
    last: Position,
    messages: VecDeque<(Position, String)>,
    bytes: usize,
    nonces: HashMap<String, Stored>,
    nonces_by_age: VecDeque<(String, Instant)>,
    touched: Instant,
}

impl Log {
    fn new() -> Self {
        let last = Position { epoch: clock::now_millis(), number: 0 };
        Self {
            last,
            messages: VecDeque::new(),
            bytes: 0,
            nonces: HashMap::new(),
            nonces_by_age: VecDeque::new(),
            touched: Instant::now(),
        }
    }

    /// What was stored under a nonce, if that is still remembered.
    fn known(&mut self, nonce: &str, now: Instant) -> Option<Stored> {
        let is_over = |(_, at): &(String, Instant)| now.duration_since(*at) > NONCE_LIFETIME;
        while self.nonces_by_age.front().is_some_and(is_over) || self.nonces_by_age.len() > MOST_NONCES {
            let (oldest, _) = self.nonces_by_age.pop_front()?;
            self.nonces.remove(&oldest);
        }
        self.nonces.get(nonce).copied()
    }

    fn keep(&mut self, stored: Stored, letter: &Letter, most: usize) {
        self.bytes += letter.body.len();
        self.messages.push_back((stored.id, letter.body.clone()));
        while self.messages.len() > most || self.bytes > MOST_BYTES {
            let Some((_, body)) = self.messages.pop_front() else { break };
            self.bytes -= body.len();
        }
        if let Some(nonce) = &letter.nonce {
            self.nonces.insert(nonce.clone(), stored);
            self.nonces_by_age.push_back((nonce.clone(), self.touched));
        }
    }
}

impl Memory {
    /// Delivers to `inbound`.
    pub fn new(inbound: Inbound, instance: &str, history: History) -> Self {
        let store = Mutex::new(Store { logs: HashMap::new(), swept: Instant::now() });
        Self { inbound, instance: instance.to_owned(), history, store }
    }

    /// See [`super::Backplane::store`].
    pub fn store(&self, letter: &Letter, receipt: Receipt<Stored>) {
        self.store_at(letter, receipt, Instant::now());
    }

    fn store_at(&self, letter: &Letter, receipt: Receipt<Stored>, now: Instant) {
        let log = self.log(&letter.room, now);
        let mut log = lock(&log);
        if let Some(stored) = letter.nonce.as_deref().and_then(|nonce| log.known(nonce, now)) {
            self.inbound.metrics.messages_repeated.inc();
            return receipt.report(Ok(stored));
        }
        log.last = log.last.next();
        log.touched = now;
        let stored = Stored { id: log.last, at: letter.at };
        log.keep(stored, letter, self.history.messages);
        // While the log is locked, so that a room hears its messages in their order.
        self.inbound.rooms.hear(letter.room.as_str(), &format!("{} {}", stored.id, letter.body));
        drop(log);
        receipt.report(Ok(stored));
    }

    /// See [`super::Backplane::publish`].
    pub fn publish(&self, topic: &Topic, payload: &str, receipt: Receipt<()>) {
        match topic {
            Topic::Room(room) => self.inbound.rooms.hear(room.as_str(), payload),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => {
                self.inbound.audiences.hear(topic, payload)
            }
        };
        receipt.report(Ok(()));
    }

    /// See [`super::Backplane::joined`].
    pub fn joined(&self, topic: &Topic) {
        let Topic::Room(name) = topic else { return };
        let Some(room) = self.inbound.rooms.find(name.as_str()) else { return };
        if !room.is_behind() {
            return;
        }
        let began = Instant::now();
        let log = self.log(name, began);
        let log = lock(&log);
        let last = Some(log.last).filter(|last| last.number > 0);
        let read = |(position, body): &(Position, String)| {
            Some(Arc::new(Said::read(*position, body, &self.instance)?))
        };
        let known = room.last();
        let is_new =
            |(position, _): &&(Position, String)| known.is_none_or(|known| known.number < position.number);
        let messages = log.messages.iter().filter(is_new).filter_map(read).collect();
        // Under the log's lock nothing is said meanwhile, so once is enough.
        self.inbound.rooms.caught_up(&room, Reading { last, messages });
        self.inbound.metrics.catch_up_seconds.observe(began.elapsed().as_secs_f64());
    }

    fn log(&self, room: &RoomName, now: Instant) -> Arc<Mutex<Log>> {
        let mut store = lock(&self.store);
        // Where someone is in every room, none can go: to look for one costs too much for each message.
        let is_full = store.logs.len() >= MOST_ROOMS && !store.logs.contains_key(room);
        if is_full || now.duration_since(store.swept) > SWEEP.min(self.history.lifetime) {
            store.swept = now;
            self.sweep(&mut store, now);
        }
        Arc::clone(store.logs.entry(room.clone()).or_insert_with(|| Arc::new(Mutex::new(Log::new()))))
    }

    /// Forgets the rooms that have outlived their time, and the most silent ones if there are too many.
    fn sweep(&self, store: &mut Store, now: Instant) {
        let mut ages = Vec::new();
        store.logs.retain(|name, log| {
            if self.inbound.rooms.is_wanted(name.as_str()) {
                lock(log).touched = now;
                return true;
            }
            let age = now.duration_since(lock(log).touched);
            ages.push(age);
            // Someone who has it is about to say something.
            age <= self.history.lifetime || Arc::strong_count(log) > 1
        });
        let excess = (store.logs.len() + 1).saturating_sub(MOST_ROOMS);
        if excess > 0 && !ages.is_empty() {
            // A tenth more than need be, so that this is not done for each new room.
            ages.sort_unstable_by(|a, b| b.cmp(a));
            let oldest = ages[(excess + MOST_ROOMS / 10).min(ages.len()) - 1];
            store.logs.retain(|name, log| {
                self.inbound.rooms.is_wanted(name.as_str())
                    || Arc::strong_count(log) > 1
                    || now.duration_since(lock(log).touched) < oldest
            });
        }
    }
}

#[cfg(test)]
mod tests;
