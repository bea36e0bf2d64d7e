//! One room: its members here, what is said, and who is in it elsewhere.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use signalr::encoding::{Encoding, Once};
use signalr::record::Record;
use tokio::sync::Notify;

use super::crowd::{self, Crowd, Here};
use super::entry::Entry;
use super::timeline::Timeline;
use crate::members::{ConnectionKey, Member, Members};
use crate::metrics::Metrics;
use crate::protocol::notices::Gap;
use crate::protocol::position::Position;
use crate::protocol::presence::Person;
use crate::protocol::room::RoomName;
use crate::protocol::said::{Origin, Said};
use crate::sync::lock;

/// How long someone who enters waits for other pods to say who is there.
const PATIENCE: Duration = Duration::from_millis(500);

/// What all rooms of a pod have in common.
#[derive(Debug, Clone)]
pub struct Home {
    /// The pod.
    pub pod: Arc<str>,
    /// The process.
    pub instance: String,
    /// The most messages that are kept of a room.
    pub history: usize,
}

/// A room with a member on this pod, or about to have one.
#[derive(Debug)]
pub struct Room {
    pub(super) name: RoomName,
    pub(super) home: Arc<Home>,
    pub(super) state: Mutex<State>,
    /// The other pods have said who is there, or who has gone on there.
    pub(super) settled: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) members: Members,
    pub(super) timeline: Timeline,
    /// Who entered while the backplane could not be read, and the last message that each knows.
    pub(super) unsure: Vec<(ConnectionKey, Option<Position>)>,
    /// Who is being told what there is, and what was said since.
    pub(super) entering: Vec<(ConnectionKey, Vec<Late>)>,
    /// How many are about to enter.
    pub(super) held: usize,
    pub(super) crowd: Crowd,
    /// How many members want to know of the others.
    pub(super) watchers: usize,
    /// There is something to tell others or members, and someone is about to.
    pub(super) stirred: bool,
    /// Nobody was left, and whoever still finds this room has to look it up again.
    pub(super) abandoned: bool,
}

impl State {
    pub(super) fn is_wanted(&self) -> bool {
        !self.members.is_empty() || self.held > 0
    }

    pub(super) fn here<'a>(members: &'a Members, home: &'a Home) -> Here<'a> {
        Here { instance: &home.instance, pod: &home.pod, members }
    }

    pub(super) fn say(&mut self, said: &Arc<Said>, metrics: &Metrics) {
        for (_, late) in &mut self.entering {
            late.push(Late::Said(Arc::clone(said)));
        }
        let hears = |member: &Member| said.except != Some(member.key);
        self.members.tell(|encoding| said.record(encoding), hears, metrics);
    }

    /// Those who departed from here and are on another pod now leave. `true`: there were some.
    pub(super) fn let_go(&mut self, home: &Home, formers: &[Cow<'_, str>]) -> bool {
        let key_of = |former: &Cow<'_, str>| Origin::read(former)?.key_here(&home.instance);
        let mut any = false;
        for key in formers.iter().filter_map(key_of) {
            let State { members, crowd, watchers, .. } = self;
            // Whoever can write to Redis cannot make anyone else leave.
            if let Some(member) = members.get(key).filter(|member| member.outbox.has_ended()).cloned() {
                members.remove(key);
                *watchers -= usize::from(member.presence);
                crowd.went(Self::here(members, home), &member, *watchers > 0);
                any = true;
            }
        }
        any
    }

    /// Who entered before the history was known learns that there was more than it was given.
    pub(super) fn tell_the_unsure(&mut self, room: &RoomName, last: Option<Position>, metrics: &Metrics) {
        for (key, after) in std::mem::take(&mut self.unsure) {
            if last.is_none() || last == after {
                continue;
            }
            metrics.gaps.inc();
            let gap = Gap { room: room.as_str(), after };
            let once = Once::new(&gap);
            self.members.tell(|encoding| once.record(encoding), |member| member.key == key, metrics);
        }
    }
}

/// What someone who enters hears only afterwards.
#[derive(Debug, Clone)]
pub(super) enum Late {
    Said(Arc<Said>),
    Gap(Record, Record),
}

impl Late {
    pub(super) fn record(&self, encoding: Encoding) -> Record {
        match (self, encoding) {
            (Self::Said(said), encoding) => said.record(encoding).clone(),
            (Self::Gap(json, _), Encoding::Json) => json.clone(),
            (Self::Gap(_, messagepack), Encoding::MessagePack) => messagepack.clone(),
        }
    }
}

impl Room {
    pub(super) fn new(name: RoomName, home: &Arc<Home>) -> Self {
        let state = State {
            members: Members::default(),
            timeline: Timeline::new(home.history),
            unsure: Vec::new(),
            entering: Vec::new(),
            held: 0,
            crowd: Crowd::default(),
            watchers: 0,
            stirred: false,
            abandoned: false,
        };
        Self { name, home: Arc::clone(home), state: Mutex::new(state), settled: Notify::new() }
    }

    /// Its name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// Whether it needs nothing from the backplane before someone enters who knows the message `since`.
    pub fn is_current(&self, entry: Entry) -> bool {
        let mut state = self.lock();
        if let Entry::Since(since) = entry
            && state.timeline.is_ahead(since)
        {
            state.timeline.fall_behind();
        }
        !state.timeline.is_behind()
    }

    /// Whether it waits for the backplane.
    pub fn is_behind(&self) -> bool {
        self.lock().timeline.is_behind()
    }

    /// The last message that was heard.
    pub fn last(&self) -> Option<Position> {
        self.lock().timeline.last()
    }

    /// Waits until the other pods have said who is there, but not for long.
    pub async fn settled(&self) {
        let settled = async {
            loop {
                let notified = self.settled.notified();
                if self.lock().crowd.is_settled() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(PATIENCE, settled).await.is_err() {
            // Whoever comes next need not wait again.
            self.lock().crowd.asked(0);
        }
    }

    /// Who is in the room, as the other pods are asked to say in turn.
    pub fn ask(&self) -> String {
        crowd::list(State::here(&self.lock().members, &self.home), true)
    }

    /// Whether the other pods were asked, on this connection to the backplane.
    pub fn is_asked(&self) -> bool {
        self.lock().crowd.is_asked()
    }

    /// So many other pods were asked.
    pub fn asked(&self, others: usize) {
        let mut state = self.lock();
        state.crowd.asked(others);
        if state.crowd.is_settled() {
            self.settled.notify_waiters();
        }
    }

    /// How many members there are, how many pods serve them, and the first of them.
    pub fn people(&self) -> (usize, usize, Vec<Person>) {
        let state = self.lock();
        let here = State::here(&state.members, &self.home);
        let (count, pods) = state.crowd.count(here);
        (count, pods, state.crowd.people(here))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
