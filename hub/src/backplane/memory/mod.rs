//! The backplane of a single hub: the tasks of Redis, within this process. Rooms are kept as long and with as
//! many messages as on Redis.

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

/// The most rooms with a history. The rooms without a message for longest are dropped first.
const MOST_ROOMS: usize = 1_000;

/// The most bytes of messages that are kept per room.
const MOST_BYTES: usize = 512 * 1024;

/// The most nonces that are remembered per room.
const MOST_NONCES: usize = 10_000;

/// The time between two searches for rooms that have outlived their lifetime.
const SWEEP: Duration = Duration::from_secs(10);

/// The backplane of a single hub, in this process.
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

    /// The acknowledgement of the message that was stored with this nonce, if the nonce is still remembered.
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
    /// A backplane that delivers to `dispatcher`.
    pub fn new(dispatcher: Dispatcher, instance: &str, history: HistorySettings) -> Self {
        let store = Mutex::new(Store { logs: HashMap::new(), swept: Instant::now() });
        Self { dispatcher, instance: instance.to_owned(), history, store }
    }

    /// Stores a message, see [`super::Backplane::store`].
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
        // The log is locked meanwhile, so that the members of a room receive its messages in order.
        self.dispatcher.rooms.receive(request.room.as_str(), &format!("{} {}", stored.id, request.body));
        drop(log);
        receipt.report(Ok(stored));
    }

    /// Publishes a payload, see [`super::Backplane::publish`].
    pub fn publish(&self, topic: &Topic, payload: &str, receipt: Receipt<()>) {
        match topic {
            Topic::Room(room) => self.dispatcher.rooms.receive(room.as_str(), payload),
            Topic::Group(_) | Topic::User(_) | Topic::All | Topic::Hub(_) => {
                self.dispatcher.audiences.receive(topic, payload)
            }
        };
        receipt.report(Ok(()));
    }

    /// Lets a room catch up, see [`super::Backplane::ensure_subscribed`].
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
        // No message is stored while the log is locked, so one page is enough.
        self.dispatcher.rooms.caught_up(&room, HistoryPage { last, messages });
        self.dispatcher.metrics.catch_up_seconds.observe(began.elapsed().as_secs_f64());
    }

    fn log(&self, room: &RoomName, now: Instant) -> Arc<Mutex<RoomLog>> {
        let mut store = lock(&self.store);
        // A log that exists never makes the store full. If all rooms have members, none can be dropped, and
        // to search for one would cost too much for each message.
        let is_full = store.logs.len() >= MOST_ROOMS && !store.logs.contains_key(room);
        if is_full || now.duration_since(store.swept) > SWEEP.min(self.history.lifetime) {
            store.swept = now;
            self.sweep(&mut store, now);
        }
        Arc::clone(store.logs.entry(room.clone()).or_insert_with(|| Arc::new(Mutex::new(RoomLog::new()))))
    }

    /// Drops the rooms that have outlived their lifetime, and the ones without a message for longest if there
    /// are too many.
    fn sweep(&self, store: &mut Store, now: Instant) {
        let mut ages = Vec::new();
        store.logs.retain(|name, log| {
            if self.dispatcher.rooms.has_subscribers(name.as_str()) {
                lock(log).touched = now;
                return true;
            }
            let age = now.duration_since(lock(log).touched);
            ages.push(age);
            // Another holder of the log is about to store a message in it.
            age <= self.history.lifetime || Arc::strong_count(log) > 1
        });
        let excess = (store.logs.len() + 1).saturating_sub(MOST_ROOMS);
        if excess > 0 && !ages.is_empty() {
            // A tenth more than necessary is dropped, so that this is not repeated for each new room.
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
