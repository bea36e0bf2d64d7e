//! One hub alone: what Redis does for many, in this process. Rooms are kept as long and as much as there.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use super::dispatcher::Dispatcher;
use super::receipt::Receipt;
use super::store::{HistorySettings, NONCE_LIFETIME, StoreAck, StoreRequest};
use crate::clock;
use crate::protocol::names::RoomName;
use crate::protocol::position::Position;
use crate::protocol::stored_message::StoredMessage;
use crate::rooms::timeline::HistoryPage;
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
    dispatcher: Dispatcher,
    instance: String,
    history: HistorySettings,
    store: Mutex<Store>,
}

#[derive(Debug)]
struct Store {
    logs: HashMap<RoomName, Arc<Mutex<RoomLog>>>,
    swept: Instant,
}

/// The messages that are kept of one room.
#[derive(Debug)]
struct RoomLog {
    last: Position,
    messages: VecDeque<(Position, String)>,
    bytes: usize,
    nonces: HashMap<String, StoreAck>,
    nonces_by_age: VecDeque<(String, Instant)>,
    touched: Instant,
}

impl RoomLog {
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
    fn stored_under(&mut self, nonce: &str, now: Instant) -> Option<StoreAck> {
        let is_over = |(_, at): &(String, Instant)| now.duration_since(*at) > NONCE_LIFETIME;
        while self.nonces_by_age.front().is_some_and(is_over) || self.nonces_by_age.len() > MOST_NONCES {
            let (oldest, _) = self.nonces_by_age.pop_front()?;
            self.nonces.remove(&oldest);
        }
        self.nonces.get(nonce).copied()
    }

    fn keep(&mut self, stored: StoreAck, request: &StoreRequest, most: usize) {
        self.bytes += request.body.len();
        self.messages.push_back((stored.id, request.body.clone()));
        while self.messages.len() > most || self.bytes > MOST_BYTES {
            let Some((_, body)) = self.messages.pop_front() else { break };
            self.bytes -= body.len();
        }
        if let Some(nonce) = &request.nonce {
            self.nonces.insert(nonce.clone(), stored);
            self.nonces_by_age.push_back((nonce.clone(), self.touched));
        }
    }
}

impl Memory {
    /// Delivers to `dispatcher`.
    pub fn new(dispatcher: Dispatcher, instance: &str, history: HistorySettings) -> Self {
        let store = Mutex::new(Store { logs: HashMap::new(), swept: Instant::now() });
        Self { dispatcher, instance: instance.to_owned(), history, store }
    }

    /// See [`super::Backplane::store`].
    pub fn store(&self, request: &StoreRequest, receipt: Receipt<StoreAck>) {
        self.store_at(request, receipt, Instant::now());
    }

    fn store_at(&self, request: &StoreRequest, receipt: Receipt<StoreAck>, now: Instant) {
        let log = self.log(&request.room, now);
        let mut log = lock(&log);
        if let Some(stored) = request.nonce.as_deref().and_then(|nonce| log.stored_under(nonce, now)) {
            self.dispatcher.metrics.messages_repeated.inc();
            return receipt.report(Ok(stored));
        }
        log.last = log.last.next();
        log.touched = now;
        let stored = StoreAck { id: log.last, at: request.at };
        log.keep(stored, request, self.history.messages);
        // While the log is locked, so that a room hears its messages in their order.
        self.dispatcher.rooms.receive(request.room.as_str(), &format!("{} {}", stored.id, request.body));
        drop(log);
        receipt.report(Ok(stored));
    }

    /// See [`super::Backplane::publish`].
    pub fn publish(&self, topic: &Topic, payload: &str, receipt: Receipt<()>) {
        match topic {
            Topic::Room(room) => self.dispatcher.rooms.receive(room.as_str(), payload),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => {
                self.dispatcher.audiences.receive(topic, payload)
            }
        };
        receipt.report(Ok(()));
    }

    /// See [`super::Backplane::ensure_subscribed`].
    pub fn ensure_subscribed(&self, topic: &Topic) {
        let Topic::Room(name) = topic else { return };
        let Some(room) = self.dispatcher.rooms.find(name.as_str()) else { return };
        if !room.is_behind() {
            return;
        }
        let began = Instant::now();
        let log = self.log(name, began);
        let log = lock(&log);
        let last = Some(log.last).filter(|last| last.number > 0);
        let read = |(position, body): &(Position, String)| {
            Some(Arc::new(StoredMessage::read_body(*position, body, &self.instance)?))
        };
        let known = room.last();
        let is_new =
            |(position, _): &&(Position, String)| known.is_none_or(|known| known.number < position.number);
        let messages = log.messages.iter().filter(is_new).filter_map(read).collect();
        // Under the log's lock nothing is said meanwhile, so once is enough.
        self.dispatcher.rooms.caught_up(&room, HistoryPage { last, messages });
        self.dispatcher.metrics.catch_up_seconds.observe(began.elapsed().as_secs_f64());
    }

    fn log(&self, room: &RoomName, now: Instant) -> Arc<Mutex<RoomLog>> {
        let mut store = lock(&self.store);
        // Where someone is in every room, none can go: to look for one costs too much for each message.
        let is_full = store.logs.len() >= MOST_ROOMS && !store.logs.contains_key(room);
        if is_full || now.duration_since(store.swept) > SWEEP.min(self.history.lifetime) {
            store.swept = now;
            self.sweep(&mut store, now);
        }
        Arc::clone(store.logs.entry(room.clone()).or_insert_with(|| Arc::new(Mutex::new(RoomLog::new()))))
    }

    /// Forgets the rooms that have outlived their time, and the most silent ones if there are too many.
    fn sweep(&self, store: &mut Store, now: Instant) {
        let mut ages = Vec::new();
        store.logs.retain(|name, log| {
            if self.dispatcher.rooms.has_subscribers(name.as_str()) {
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
                self.dispatcher.rooms.has_subscribers(name.as_str())
                    || Arc::strong_count(log) > 1
                    || now.duration_since(lock(log).touched) < oldest
            });
        }
    }
}

#[cfg(test)]
mod tests;
