//! Tests of what is forgotten, and when.

use std::sync::mpsc;

use super::*;
use crate::audiences::{Audiences, ClientResults};
use crate::members::{Member, MemberIdentity};
use crate::outbox::{Limits, Outbox};
use crate::peers::{Heartbeat, Peers};
use crate::protocol::names::MemberName;
use crate::rooms::{HistoryRequest, LocalHub, Rooms};
use crate::topics::SubscriptionChanges;

const LIFETIME: Duration = Duration::from_mins(5);

/// A backplane that keeps this many messages per room.
fn memory(messages: usize) -> Memory {
    let (changes, metrics) = (SubscriptionChanges::new().0, Arc::default());
    let local_hub = LocalHub { pod: "hub-a".into(), instance: "a".into(), history: 100 };
    let client_results = Arc::new(ClientResults::new("a", Duration::from_secs(1)).0);
    let heartbeat = Heartbeat {
        pod: "hub-a".into(),
        instance: "a".into(),
        version: "1".into(),
        connections: 0,
        leaving: false,
    };
    let dispatcher = Dispatcher {
        rooms: Arc::new(Rooms::new(local_hub, changes.clone(), Arc::clone(&metrics))),
        audiences: Arc::new(Audiences::new("a", client_results, changes, Arc::clone(&metrics))),
        peers: Arc::new(Peers::new(heartbeat)),
        metrics,
    };
    Memory::new(dispatcher, "a", HistorySettings { messages, lifetime: LIFETIME })
}

fn name(room: &str) -> RoomName {
    RoomName::new(room.into()).unwrap()
}

fn store(memory: &Memory, room: &str, text: &str, nonce: Option<&str>, now: Instant) -> StoreAck {
    let body = format!("{{\"text\":\"{text}\"}}");
    let request = StoreRequest { room: name(room), body, at: 5, nonce: nonce.map(Into::into) };
    let (report, reported) = mpsc::channel();
    memory.store_at(&request, Receipt::new(move |outcome| report.send(outcome).unwrap()), now);
    reported.recv().unwrap().unwrap()
}

/// The numbers of the messages that are kept of a room.
fn kept(memory: &Memory, room: &str) -> Vec<u64> {
    let logs = &lock(&memory.store).logs;
    let Some(log) = logs.get(room) else { return Vec::new() };
    lock(log).messages.iter().map(|(position, _)| position.number).collect()
}

fn enter(memory: &Memory, room: &str) {
    let identity = Arc::new(MemberIdentity { name: MemberName::default(), user: None });
    let outbox = Outbox::alone(Limits { records: 100, bytes: 10_000 });
    let hold = memory.dispatcher.rooms.hold(&name(room));
    hold.join(
        &Member { key: 1, outbox, identity, wants_presence: false, origin: None },
        HistoryRequest::Latest(0),
        |_| (),
    );
}

#[test]
fn a_room_keeps_its_last_messages_and_counts_on() {
    let (memory, now) = (memory(3), Instant::now());
    let ids: Vec<_> = (0..5).map(|_| store(&memory, "lobby", "x", None, now).id).collect();

    assert_eq!(kept(&memory, "lobby"), [3, 4, 5]);
    assert!(ids.iter().all(|id| id.epoch == ids[0].epoch));
    assert_eq!(ids[4].number, 5);
}

#[test]
fn without_a_history_nothing_is_kept_but_the_number() {
    let (memory, now) = (memory(0), Instant::now());

    store(&memory, "lobby", "x", None, now);

    assert_eq!(kept(&memory, "lobby"), [0; 0]);
    assert_eq!(store(&memory, "lobby", "x", None, now).id.number, 2);
}

#[test]
fn a_room_keeps_no_more_bytes_than_it_may() {
    let (memory, now) = (memory(100), Instant::now());
    let text = "x".repeat(30_000);
    for _ in 0..50 {
        store(&memory, "lobby", &text, None, now);
    }

    let kept = kept(&memory, "lobby");
    let each = text.len() + "{\"text\":\"\"}".len();
    assert_eq!((kept.len(), kept.last()), (MOST_BYTES / each, Some(&50)));
    let log = memory.log(&name("lobby"), now);
    assert_eq!(lock(&log).bytes, kept.len() * each);
}

#[test]
fn a_room_is_forgotten_when_nobody_was_in_it_or_spoke_there_for_its_time() {
    let (memory, start) = (memory(10), Instant::now());
    enter(&memory, "has members");
    let mut epochs = Vec::new();
    for room in ["has members", "silent", "spoken in"] {
        epochs.push(store(&memory, room, "x", None, start).id.epoch);
    }
    store(&memory, "spoken in", "y", None, start + LIFETIME);

    // A message in any room starts the search.
    store(&memory, "elsewhere", "x", None, start + LIFETIME + 2 * SWEEP);

    assert_eq!(kept(&memory, "has members"), [1]);
    assert_eq!(kept(&memory, "silent"), [0; 0]);
    assert_eq!(kept(&memory, "spoken in"), [1, 2]);
    // The lifetime begins when the last member leaves.
    memory.dispatcher.rooms.leave("has members", 1);
    store(&memory, "elsewhere", "x", None, start + 2 * LIFETIME);
    assert_eq!(kept(&memory, "has members"), [1]);
    store(&memory, "elsewhere", "x", None, start + 3 * LIFETIME);
    assert_eq!(kept(&memory, "has members"), [0; 0]);
}

#[test]
fn of_too_many_rooms_the_most_silent_go_first_and_none_that_someone_is_in() {
    let (memory, start) = (memory(10), Instant::now());
    enter(&memory, "0");
    for n in 0..=MOST_ROOMS {
        let at = start + Duration::from_micros(n as u64);
        store(&memory, &n.to_string(), "x", None, at);
    }

    let count = lock(&memory.store).logs.len();
    assert!((MOST_ROOMS * 8 / 10..=MOST_ROOMS).contains(&count), "{count}");
    assert_eq!(kept(&memory, "0"), [1], "someone is in it");
    assert_eq!(kept(&memory, "1"), [0; 0]);
    assert_eq!(kept(&memory, &(MOST_ROOMS / 2).to_string()), [1]);
    assert_eq!(kept(&memory, &MOST_ROOMS.to_string()), [1]);
}

#[test]
fn a_nonce_is_stored_once_in_its_room_for_its_time() {
    let (memory, start) = (memory(10), Instant::now());
    let first = store(&memory, "lobby", "x", Some("n"), start);

    assert_eq!(store(&memory, "lobby", "x", Some("n"), start + NONCE_LIFETIME), first);
    assert_eq!(kept(&memory, "lobby"), [1], "it is not stored again");
    store(&memory, "attic", "x", Some("n"), start);
    assert_eq!(kept(&memory, "attic"), [1], "another room knows nothing of it");
    assert_eq!(memory.dispatcher.metrics.messages_repeated.get(), 1);

    let later = start + NONCE_LIFETIME + Duration::from_millis(1);
    let second = store(&memory, "lobby", "x", Some("n"), later);
    assert_eq!(second.id.number, 2);
    assert_eq!(
        store(&memory, "lobby", "x", Some("n"), later + NONCE_LIFETIME),
        second,
        "its lifetime begins again"
    );
}

#[test]
fn the_oldest_of_too_many_nonces_are_forgotten() {
    let (memory, now) = (memory(1), Instant::now());
    for n in 0..=MOST_NONCES {
        store(&memory, "lobby", "x", Some(&n.to_string()), now);
    }

    assert_eq!(store(&memory, "lobby", "x", Some("1"), now).id.number, 2, "it is still known");
    assert_eq!(store(&memory, "lobby", "x", Some("0"), now).id.number, MOST_NONCES as u64 + 2);
    let log = memory.log(&name("lobby"), now);
    assert!(lock(&log).nonces.len() <= MOST_NONCES + 1);
}
