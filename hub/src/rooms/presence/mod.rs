//! Who is in a room on other pods, and who came and went lately, here and there.
//!
//! Pure: what it holds comes from what pods tell each other ([`PresenceEvent`]); nothing of it is stored anywhere.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::presence_diff::{MOST_NAMED, PresenceDiff};
use crate::members::{ConnectionKey, Member, Members};
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::presence::{MemberInfo, MemberRecord, PresenceEvent, PresenceNotice};

/// The most pods of a room, so that a foreign sender cannot fill the memory.
const MOST_PEERS: usize = 1_000;

/// The most members that are believed of a pod.
const MOST_COUNTED: usize = 10_000_000;

/// In larger rooms clients are told how many there are, and not who.
const MOST_TOLD: usize = 200;

/// Clients are told at most so often.
const PACE: Duration = Duration::from_secs(1);

/// After a new connection to the backplane, a pod that says nothing of a room for so long has nobody there any more: by then it
/// has connected again, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time for an announcement of this hub to come back to it.
const ECHO: Duration = Duration::from_secs(2);

/// The presence of one room: its members on other hubs, and what peers and clients are still to be told.
#[derive(Debug, Default)]
pub struct RoomPresence {
    peers: HashMap<Box<str>, Peer>,
    /// What the others are to be told of the members here.
    pending: PendingAnnouncements,
    /// What the members here are to be told.
    diff: PresenceDiff,
    notified_at: Option<Instant>,
    /// Origins of members that were handed over to this hub and whose announcement has not echoed yet: until then they may
    /// also be listed at their old pod, by announcements on their way. Meanwhile members are told nothing.
    awaiting_echo: HashSet<Box<str>>,
    awaiting_echo_since: Option<Instant>,
    /// Announcements did not fit together: the others are to be asked for their lists.
    needs_resync: bool,
    /// Peers that have sent their list since the others were asked.
    synced_peers: HashSet<Box<str>>,
    /// The number of peers that were asked.
    awaited_peers: Option<usize>,
}

#[derive(Debug)]
struct Peer {
    pod: Arc<str>,
    count: usize,
    named: HashMap<ConnectionKey, MemberInfo>,
    /// It was not heard of since then, although the others were asked.
    unconfirmed_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct PendingAnnouncements {
    joined: HashSet<ConnectionKey>,
    left: HashSet<ConnectionKey>,
}

/// The members on this hub.
#[derive(Debug, Clone, Copy)]
pub struct LocalMembers<'a> {
    /// The process.
    pub instance: &'a str,
    /// Its pod.
    pub pod: &'a Arc<str>,
    /// Its members.
    pub members: &'a Members,
}

impl RoomPresence {
    /// How many are there on other pods, and how many pods that is.
    pub fn remote_count(&self) -> (usize, usize) {
        let with_members = self.peers.values().filter(|peer| peer.count > 0);
        with_members.fold((0, 0), |(count, pods), peer| (count + peer.count, pods + 1))
    }

    /// Someone came here, or is called otherwise now.
    pub fn member_joined(
        &mut self,
        local: LocalMembers,
        member: &Member,
        previous: Option<&Member>,
        is_watched: bool,
    ) {
        if previous.is_some_and(|previous| previous.identity == member.identity) {
            return;
        }
        if is_watched {
            if let Some(previous) = previous {
                self.diff.left(local.instance, previous.key, member_info(previous, local.pod));
            }
            self.diff.joined(local.instance, member.key, &member_info(member, local.pod));
        }
        if !self.peers.is_empty() {
            self.pending.left.remove(&member.key);
            self.pending.joined.insert(member.key);
        }
    }

    /// Someone here went.
    pub fn member_left(&mut self, local: LocalMembers, member: &Member, is_watched: bool) {
        if is_watched {
            self.diff.left(local.instance, member.key, member_info(member, local.pod));
        }
        if !self.peers.is_empty() {
            self.pending.joined.remove(&member.key);
            self.pending.left.insert(member.key);
        }
    }

    /// Another pod tells of its members. `true`: it is to be told of those here.
    pub fn apply(&mut self, event: &PresenceEvent, is_watched: bool) -> bool {
        let (PresenceEvent::Changed { instance, pod, origins, .. }
        | PresenceEvent::List { instance, pod, origins, .. }) = event
        else {
            return false;
        };
        self.remove_moved(origins, is_watched);
        if !self.peers.contains_key(&**instance) && self.peers.len() == MOST_PEERS {
            return false;
        }
        let mut ignored = PresenceDiff::default();
        let diff = if is_watched { &mut self.diff } else { &mut ignored };
        let new = || Peer { pod: (&**pod).into(), count: 0, named: HashMap::new(), unconfirmed_since: None };
        let is_new = !self.peers.contains_key(&**instance);
        let peer = self.peers.entry((&**instance).into()).or_insert_with(new);
        diff.changed |= match event {
            PresenceEvent::Changed { count, .. } | PresenceEvent::List { count, .. } => peer.count != *count,
            PresenceEvent::Typing { .. } => false,
        };
        let is_list_requested = match event {
            PresenceEvent::Changed { count, joined, left, .. } => {
                for key in left {
                    if let Some(member_info) = peer.named.remove(key) {
                        diff.left(instance, *key, member_info);
                    }
                }
                peer.merge(instance, joined, diff);
                peer.count = (*count).min(MOST_COUNTED);
                // A pod that nothing was known of has others, too; and each of its members is named if there are few.
                self.needs_resync |= is_new && peer.named.len() != *count;
                self.needs_resync |=
                    peer.named.len() > *count || (peer.named.len() < *count && *count < MOST_NAMED);
                false
            }
            PresenceEvent::List { count, members, ask, .. } => {
                let keys: HashSet<_> = members.iter().map(|MemberRecord(key, ..)| *key).collect();
                let gone: Vec<_> = peer.named.keys().filter(|key| !keys.contains(key)).copied().collect();
                for key in gone {
                    if let Some(member_info) = peer.named.remove(&key) {
                        diff.left(instance, key, member_info);
                    }
                }
                peer.merge(instance, members, diff);
                peer.count = (*count).min(MOST_COUNTED);
                peer.unconfirmed_since = None;
                self.synced_peers.insert((&**instance).into());
                *ask
            }
            PresenceEvent::Typing { .. } => false,
        };
        // One without members is kept as long as it is there: it is told of those here.
        is_list_requested
    }

    /// Removes members that were handed over by other pods, here or to the pod that announces it.
    pub fn remove_moved(&mut self, origins: &[Cow<'_, str>], is_watched: bool) {
        for origin in origins {
            self.awaiting_echo.remove(&**origin);
            let Some(ConnectionRef { instance, key }) = ConnectionRef::read(origin) else { continue };
            let Some(peer) = self.peers.get_mut(&*instance) else { continue };
            let Some(member_info) = peer.named.remove(&key) else { continue };
            peer.count = peer.count.saturating_sub(1);
            if is_watched {
                self.diff.left(&instance, key, member_info);
            }
        }
    }

    /// A pod is gone.
    pub fn remove_peer(&mut self, instance: &str, is_watched: bool) {
        let Some(peer) = self.peers.remove(instance) else { return };
        if is_watched {
            self.diff.changed |= peer.count > 0;
            for (key, member_info) in peer.named {
                self.diff.left(instance, key, member_info);
            }
        }
    }

    /// The pods that are none of these.
    pub fn unknown_peers(&self, instances: &HashSet<String>) -> Vec<Box<str>> {
        self.peers.keys().filter(|instance| !instances.contains(&***instance)).cloned().collect()
    }

    /// The connection to the backplane is a new one: who is there has to say so again.
    pub fn mark_unconfirmed(&mut self, now: Instant) {
        self.synced_peers.clear();
        self.awaited_peers = None;
        for peer in self.peers.values_mut() {
            peer.unconfirmed_since.get_or_insert(now);
        }
    }

    /// The others are to be asked at the next [`RoomPresence::next_announcement`].
    pub fn request_resync(&mut self) {
        self.needs_resync = true;
    }

    /// So many others were asked.
    pub fn sync_requested(&mut self, others: usize) {
        self.awaited_peers = Some(others);
    }

    /// Whether the others were asked since the connection is a new one.
    pub fn is_sync_requested(&self) -> bool {
        self.awaited_peers.is_some()
    }

    /// Whether all who were asked have answered, or nobody could be.
    pub fn is_synced(&self) -> bool {
        self.awaited_peers.is_none_or(|awaited| self.synced_peers.len() >= awaited)
    }

    /// Whether there is something to do at the next [`RoomPresence::next_announcement`] or [`RoomPresence::next_notice`].
    pub fn has_pending(&self) -> bool {
        self.needs_resync
            || self.diff.changed
            || !self.pending.joined.is_empty()
            || !self.pending.left.is_empty()
            || self.peers.values().any(|peer| peer.unconfirmed_since.is_some())
    }

    /// What the other pods are to be told now.
    pub fn next_announcement(
        &mut self,
        local: LocalMembers,
        now: Instant,
        is_watched: bool,
    ) -> Option<String> {
        let is_expired =
            |peer: &Peer| peer.unconfirmed_since.is_some_and(|at| now.duration_since(at) > PATIENCE);
        let expired: Vec<_> =
            self.peers.iter().filter(|(_, peer)| is_expired(peer)).map(|(key, _)| key.clone()).collect();
        for instance in expired {
            self.remove_peer(&instance, is_watched);
        }
        let PendingAnnouncements { joined, left } = std::mem::take(&mut self.pending);
        let origins = joined.iter().filter_map(|key| local.members.get(*key)?.origin.as_deref());
        let origins: Vec<Cow<'_, str>> = origins.map(Into::into).collect();
        if !origins.is_empty() {
            self.awaiting_echo.extend(origins.iter().map(|origin| (&**origin).into()));
            self.awaiting_echo_since = Some(now);
        }
        if std::mem::take(&mut self.needs_resync) {
            return Some(member_list_with_origins(local, true, origins));
        }
        if self.peers.is_empty() || (joined.is_empty() && left.is_empty()) {
            return None;
        }
        let joined = joined.iter().filter_map(|key| local.members.get(*key)).take(MOST_NAMED);
        let event = PresenceEvent::Changed {
            instance: local.instance.into(),
            pod: (&**local.pod).into(),
            count: local.members.len(),
            joined: joined.map(member_record).collect(),
            left: left.into_iter().collect(),
            origins,
        };
        Some(event.json())
    }

    /// What the members here are to be told now, if they were not just told something.
    pub fn next_notice<'r>(
        &mut self,
        room: &'r str,
        local: LocalMembers,
        now: Instant,
    ) -> Option<PresenceNotice<'r>> {
        let is_soon = |then: Option<Instant>, wait| then.is_some_and(|then| now.duration_since(then) < wait);
        let awaits_echo = !self.awaiting_echo.is_empty() && is_soon(self.awaiting_echo_since, ECHO);
        if !self.diff.changed || is_soon(self.notified_at, PACE) || awaits_echo {
            return None;
        }
        self.awaiting_echo.clear();
        self.notified_at = Some(now);
        let (count, pods) = self.count(local);
        let diff = std::mem::take(&mut self.diff);
        let names = |members: HashMap<_, MemberInfo>| {
            let names = members.into_values();
            if diff.too_many || count > MOST_TOLD { Vec::new() } else { names.collect() }
        };
        let (joined, left) = (names(diff.joined), names(diff.left));
        Some(PresenceNotice { room, count, pods, joined, left })
    }

    /// Nobody here wants to know.
    pub fn discard_diff(&mut self) {
        self.diff = PresenceDiff::default();
    }

    /// How many there are, and how many pods serve them.
    pub fn count(&self, local: LocalMembers) -> (usize, usize) {
        let (count, pods) = self.remote_count();
        (local.members.len() + count, pods + usize::from(!local.members.is_empty()))
    }

    /// The first of all members.
    pub fn member_infos(&self, local: LocalMembers) -> Vec<MemberInfo> {
        let own = local.members.iter().map(|member| member_info(member, local.pod));
        let others = self.peers.values().flat_map(|peer| peer.named.values().cloned());
        own.chain(others).take(MOST_NAMED).collect()
    }

    /// The announcement that no member is left on this hub, if another one has to know.
    pub fn leave_announcement(&self, local: LocalMembers) -> Option<String> {
        let event = PresenceEvent::List {
            instance: local.instance.into(),
            pod: (&**local.pod).into(),
            count: 0,
            members: Vec::new(),
            origins: Vec::new(),
            ask: false,
        };
        (!self.peers.is_empty()).then(|| event.json())
    }
}

impl Peer {
    fn merge(&mut self, instance: &str, records: &[MemberRecord], diff: &mut PresenceDiff) {
        for MemberRecord(key, name, user) in records {
            let member_info = MemberInfo {
                name: name.as_ref().into(),
                pod: Arc::clone(&self.pod),
                user: user.as_ref().map(|user| user.as_ref().into()),
            };
            let previous = self.named.get(key);
            if previous == Some(&member_info) || (previous.is_none() && self.named.len() == MOST_NAMED) {
                continue;
            }
            if let Some(previous) = previous {
                diff.left(instance, *key, previous.clone());
            }
            diff.joined(instance, *key, &member_info);
            self.named.insert(*key, member_info);
        }
    }
}

/// All members here, as the other pods are told.
pub fn member_list(local: LocalMembers, ask: bool) -> String {
    member_list_with_origins(local, ask, Vec::new())
}

fn member_list_with_origins(local: LocalMembers, ask: bool, origins: Vec<Cow<'_, str>>) -> String {
    let event = PresenceEvent::List {
        instance: local.instance.into(),
        pod: (&**local.pod).into(),
        count: local.members.len(),
        members: local.members.iter().take(MOST_NAMED).map(member_record).collect(),
        origins,
        ask,
    };
    event.json()
}

fn member_record(member: &Member) -> MemberRecord<'_> {
    MemberRecord(
        member.key,
        member.identity.name.as_str().into(),
        member.identity.user.as_deref().map(Into::into),
    )
}

fn member_info(member: &Member, pod: &Arc<str>) -> MemberInfo {
    MemberInfo {
        name: member.identity.name.as_str().into(),
        pod: Arc::clone(pod),
        user: member.identity.user.as_deref().map(Into::into),
    }
}

#[cfg(test)]
mod tests;
