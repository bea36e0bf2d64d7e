//! One room: its members here, its messages, and its presence on all hubs.

use std::borrow::Cow;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use signalr::encoding::{EncodedOnce, Encoding};
use signalr::record::Record;
use tokio::sync::Notify;

use super::join::HistoryRequest;
use super::presence::{self, LocalMembers, RoomPresence};
use super::timeline::Timeline;
use crate::members::{ConnectionKey, Member, Members};
use crate::metrics::Metrics;
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::names::RoomName;
use crate::protocol::notices::Gap;
use crate::protocol::position::Position;
use crate::protocol::presence::MemberInfo;
use crate::protocol::stored_message::StoredMessage;
use crate::sync::lock;

/// The most time that a join waits for other pods to list their members.
const PATIENCE: Duration = Duration::from_millis(500);

/// This hub, as its rooms know it.
#[derive(Debug, Clone)]
pub struct LocalHub {
    /// The hub's pod.
    pub pod: Arc<str>,
    /// The hub's process.
    pub instance: String,
    /// The most messages that are kept of a room.
    pub history: usize,
}

/// A room with a member on this pod, or about to have one.
#[derive(Debug)]
pub struct Room {
    pub(super) name: RoomName,
    pub(super) local_hub: Arc<LocalHub>,
    pub(super) state: Mutex<State>,
    /// Notified when the other pods have listed their members, or have announced members that were handed
    /// over to them.
    pub(super) synced: Notify,
}

#[derive(Debug)]
pub(super) struct State {
    pub(super) members: Members,
    pub(super) timeline: Timeline,
    /// Members that joined before the history was loaded, each with the last message that it knows.
    pub(super) awaiting_history: Vec<(ConnectionKey, Option<Position>)>,
    /// Members whose join is being answered, and the notices buffered since.
    pub(super) joining: Vec<(ConnectionKey, Vec<BufferedNotice>)>,
    /// The number of holds: joins that are about to happen.
    pub(super) holds: usize,
    pub(super) presence: RoomPresence,
    /// The number of members that want presence notices.
    pub(super) watchers: usize,
    /// True while the room is queued because it has presence to announce.
    pub(super) enqueued: bool,
    /// True once the last member has left. A task that still finds this room has to look it up again.
    pub(super) abandoned: bool,
}

impl State {
    pub(super) fn is_occupied(&self) -> bool {
        !self.members.is_empty() || self.holds > 0
    }

    pub(super) fn local_members<'a>(members: &'a Members, local_hub: &'a LocalHub) -> LocalMembers<'a> {
        LocalMembers { instance: &local_hub.instance, pod: &local_hub.pod, members }
    }

    pub(super) fn deliver(&mut self, message: &Arc<StoredMessage>, metrics: &Metrics) {
        for (_, buffered) in &mut self.joining {
            buffered.push(BufferedNotice::Message(Arc::clone(message)));
        }
        let receives = |member: &Member| message.excluded != Some(member.key);
        self.members.deliver(|encoding| message.record(encoding), receives, metrics);
    }

    /// Removes members that were handed over and that another pod announces now. Returns true if there were
    /// any.
    pub(super) fn remove_handed_over(&mut self, local_hub: &LocalHub, origins: &[Cow<'_, str>]) -> bool {
        let key_of = |origin: &Cow<'_, str>| ConnectionRef::read(origin)?.local_key(&local_hub.instance);
        let mut any = false;
        for key in origins.iter().filter_map(key_of) {
            let State { members, presence, watchers, .. } = self;
            // Only members that were handed over have an ended queue: a process that can write to Redis
            // cannot make other members leave.
            if let Some(member) = members.get(key).filter(|member| member.outbox.has_ended()).cloned() {
                members.remove(key);
                *watchers -= usize::from(member.wants_presence);
                presence.member_left(Self::local_members(members, local_hub), &member, *watchers > 0);
                any = true;
            }
        }
        any
    }

    /// Sends a gap to members that joined before the history was loaded, if it contains messages that they
    /// did not get.
    pub(super) fn notify_awaiting_history(
        &mut self,
        room: &RoomName,
        last: Option<Position>,
        metrics: &Metrics,
    ) {
        for (key, after) in std::mem::take(&mut self.awaiting_history) {
            if last.is_none() || last == after {
                continue;
            }
            metrics.gaps.inc();
            let gap = Gap { room: room.as_str(), after };
            let encoded = EncodedOnce::new(&gap);
            self.members.deliver(|encoding| encoded.record(encoding), |member| member.key == key, metrics);
        }
    }
}

/// A notice for a member that is joining, delivered once the join is answered.
#[derive(Debug, Clone)]
pub(super) enum BufferedNotice {
    Message(Arc<StoredMessage>),
    Gap(Record, Record),
}

impl BufferedNotice {
    pub(super) fn record(&self, encoding: Encoding) -> Record {
        match (self, encoding) {
            (Self::Message(message), encoding) => message.record(encoding).clone(),
            (Self::Gap(json, _), Encoding::Json) => json.clone(),
            (Self::Gap(_, messagepack), Encoding::MessagePack) => messagepack.clone(),
        }
    }
}

impl Room {
    pub(super) fn new(name: RoomName, local_hub: &Arc<LocalHub>) -> Self {
        let state = State {
            members: Members::default(),
            timeline: Timeline::new(local_hub.history),
            awaiting_history: Vec::new(),
            joining: Vec::new(),
            holds: 0,
            presence: RoomPresence::default(),
            watchers: 0,
            enqueued: false,
            abandoned: false,
        };
        Self { name, local_hub: Arc::clone(local_hub), state: Mutex::new(state), synced: Notify::new() }
    }

    /// The room's name.
    pub fn name(&self) -> &RoomName {
        &self.name
    }

    /// True if nothing has to be read from the backplane before a member joins with this request.
    pub fn is_current(&self, history: HistoryRequest) -> bool {
        let mut state = self.lock();
        if let HistoryRequest::Since(since) = history
            && state.timeline.is_ahead(since)
        {
            state.timeline.fall_behind();
        }
        !state.timeline.is_behind()
    }

    /// True while the room's history has to be read from the backplane.
    pub fn is_behind(&self) -> bool {
        self.lock().timeline.is_behind()
    }

    /// The position of the last message that was received.
    pub fn last(&self) -> Option<Position> {
        self.lock().timeline.last()
    }

    /// Waits until the other pods have listed their members, for at most half a second.
    pub async fn synced(&self) {
        let synced = async {
            loop {
                let notified = self.synced.notified();
                if self.lock().presence.is_synced() {
                    return;
                }
                notified.await;
            }
        };
        if tokio::time::timeout(PATIENCE, synced).await.is_err() {
            // The next member that joins does not have to wait again.
            self.lock().presence.sync_requested(0);
        }
    }

    /// The list of the members here, which asks the other pods for theirs.
    pub fn sync_request(&self) -> String {
        presence::member_list(State::local_members(&self.lock().members, &self.local_hub), true)
    }

    /// True if the other pods were asked for their lists since the last reconnect to the backplane.
    pub fn is_sync_requested(&self) -> bool {
        self.lock().presence.is_sync_requested()
    }

    /// Notes that this number of other pods were asked for their lists.
    pub fn sync_requested(&self, others: usize) {
        let mut state = self.lock();
        state.presence.sync_requested(others);
        if state.presence.is_synced() {
            self.synced.notify_waiters();
        }
    }

    /// The number of members, the number of pods that serve them, and the first of the members.
    pub fn member_list(&self) -> (usize, usize, Vec<MemberInfo>) {
        let state = self.lock();
        let local = State::local_members(&state.members, &self.local_hub);
        let (count, pods) = state.presence.count(local);
        (count, pods, state.presence.member_infos(local))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}
