//! The presence of one room: its members on other pods, and recent changes of its members on all pods.
//!
//! Pure: all of this comes from the events that hubs publish ([`PresenceEvent`]), and none of it is stored
//! anywhere.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use super::presence_diff::{MOST_NAMED, PresenceDiff};
use crate::members::{ConnectionKey, Member, Members};
use crate::protocol::connection_ref::ConnectionRef;
use crate::protocol::presence::{MemberInfo, MemberRecord, PresenceEvent, PresenceNotice};

/// The most pods that are tracked for a room, so that a foreign sender cannot fill the memory.
const MOST_PEERS: usize = 1_000;

/// The most members that a pod is believed to have.
const MOST_COUNTED: usize = 10_000_000;

/// The largest room whose members are named in notices. In larger rooms, clients receive counts alone.
const MOST_LISTED: usize = 200;

/// The least time between two notices to clients.
const PACE: Duration = Duration::from_secs(1);

/// After a reconnect to the backplane, a pod that announces nothing in a room for this long counts as having
/// no members there: by then it has reconnected, too.
const PATIENCE: Duration = Duration::from_secs(10);

/// The time for an announcement of this hub to return to it from the backplane.
const ECHO: Duration = Duration::from_secs(2);

/// The presence of one room: its members on other hubs, and changes that have yet to be announced to peers
/// and clients.
#[derive(Debug, Default)]
pub struct RoomPresence {
    peers: HashMap<Box<str>, Peer>,
    /// Changes of the members here, for the next announcement to peers.
    pending: PendingAnnouncements,
    /// Changes of all members, for the next notice to the members here.
    diff: PresenceDiff,
    notified_at: Option<Instant>,
    /// Origins of members that were handed over to this hub and whose announcement has not returned from the
    /// backplane yet. Until then, announcements on their way may still list these members at their old pod,
    /// so the members here receive no notice.
    awaiting_echo: HashSet<Box<str>>,
    awaiting_echo_since: Option<Instant>,
    /// True if announcements did not fit together, so that the peers have to be asked for their lists.
    needs_resync: bool,
    /// Peers that have sent their list since they were asked.
    synced_peers: HashSet<Box<str>>,
    /// The number of peers that were asked; `None`: they have not been asked since the last reconnect.
    awaited_peers: Option<usize>,
}

#[derive(Debug)]
struct Peer {
    pod: Arc<str>,
    count: usize,
    named: HashMap<ConnectionKey, MemberInfo>,
    /// The time of the reconnect after which this peer has not sent its list yet.
    unconfirmed_since: Option<Instant>,
}

#[derive(Debug, Default)]
struct PendingAnnouncements {
    joined: HashSet<ConnectionKey>,
    left: HashSet<ConnectionKey>,
}

/// The members of a room on this hub.
#[derive(Debug, Clone, Copy)]
pub struct LocalMembers<'a> {
    /// This hub's process.
    pub instance: &'a str,
    /// This hub's pod.
    pub pod: &'a Arc<str>,
    /// The members.
    pub members: &'a Members,
}

impl RoomPresence {
    /// The number of members on other pods, and the number of these pods.
    pub fn remote_count(&self) -> (usize, usize) {
        let with_members = self.peers.values().filter(|peer| peer.count > 0);
        with_members.fold((0, 0), |(count, pods), peer| (count + peer.count, pods + 1))
    }

    /// Notes that a member joined here, or changed its name.
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

    /// Notes that a member here left.
    pub fn member_left(&mut self, local: LocalMembers, member: &Member, is_watched: bool) {
        if is_watched {
            self.diff.left(local.instance, member.key, member_info(member, local.pod));
        }
        if !self.peers.is_empty() {
            self.pending.joined.remove(&member.key);
            self.pending.left.insert(member.key);
        }
    }

    /// Applies an event of another pod. Returns true if that pod asks for the list of the members here.
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
                // The pod's list is needed if the pod was unknown and has members besides those that just
                // joined, or if the names of its members, while they are few, do not match their count.
                self.needs_resync |= is_new && peer.named.len() != *count;
                self.needs_resync |=
                    peer.named.len() > *count || (peer.named.len() < *count && *count < MOST_NAMED);
                false
            }
            PresenceEvent::List { count, members, ask, .. } => {
                let keys: HashSet<_> = members.iter().map(|MemberRecord(key, ..)| *key).collect();
                let missing: Vec<_> = peer.named.keys().filter(|key| !keys.contains(key)).copied().collect();
                for key in missing {
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
        // A peer without members is kept while its hub is alive, because it has to receive this hub's
        // announcements.
        is_list_requested
    }

    /// Removes members that were handed over by other pods, to this pod or to the one that announces them.
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

    /// Removes a pod that is gone, and its members.
    pub fn remove_peer(&mut self, instance: &str, is_watched: bool) {
        let Some(peer) = self.peers.remove(instance) else { return };
        if is_watched {
            self.diff.changed |= peer.count > 0;
            for (key, member_info) in peer.named {
                self.diff.left(instance, key, member_info);
            }
        }
    }

    /// The peers that are not among these instances.
    pub fn unknown_peers(&self, instances: &HashSet<String>) -> Vec<Box<str>> {
        self.peers.keys().filter(|instance| !instances.contains(&***instance)).cloned().collect()
    }

    /// Marks all peers as unconfirmed after a reconnect to the backplane: each has to send its list again.
    pub fn mark_unconfirmed(&mut self, now: Instant) {
        self.synced_peers.clear();
        self.awaited_peers = None;
        for peer in self.peers.values_mut() {
            peer.unconfirmed_since.get_or_insert(now);
        }
    }

    /// Asks the peers for their lists, with the next [`RoomPresence::next_announcement`].
    pub fn request_resync(&mut self) {
        self.needs_resync = true;
    }

    /// Notes that this number of peers were asked for their lists.
    pub fn sync_requested(&mut self, others: usize) {
        self.awaited_peers = Some(others);
    }

    /// True if the peers were asked for their lists since the last reconnect to the backplane.
    pub fn is_sync_requested(&self) -> bool {
        self.awaited_peers.is_some()
    }

    /// True unless the list of a peer that was asked is still missing.
    pub fn is_synced(&self) -> bool {
        self.awaited_peers.is_none_or(|awaited| self.synced_peers.len() >= awaited)
    }

    /// True if [`RoomPresence::next_announcement`] or [`RoomPresence::next_notice`] has something to do.
    pub fn has_pending(&self) -> bool {
        self.needs_resync
            || self.diff.changed
            || !self.pending.joined.is_empty()
            || !self.pending.left.is_empty()
            || self.peers.values().any(|peer| peer.unconfirmed_since.is_some())
    }

    /// The announcement to the other pods that is due now, if there is one. Removes peers that have been
    /// unconfirmed for too long.
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

    /// The notice to the members here that is due now. There is none if nothing changed, within a second
    /// after the last notice, or while an announcement has not returned from the backplane (for at most two
    /// seconds).
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
            if diff.too_many || count > MOST_LISTED { Vec::new() } else { names.collect() }
        };
        let (joined, left) = (names(diff.joined), names(diff.left));
        Some(PresenceNotice { room, count, pods, joined, left })
    }

    /// Drops the changes, because no member here wants notices.
    pub fn discard_diff(&mut self) {
        self.diff = PresenceDiff::default();
    }

    /// The number of members on all pods, and the number of pods that serve them.
    pub fn count(&self, local: LocalMembers) -> (usize, usize) {
        let (count, pods) = self.remote_count();
        (local.members.len() + count, pods + usize::from(!local.members.is_empty()))
    }

    /// The members on all pods, at most the first 1,000.
    pub fn member_infos(&self, local: LocalMembers) -> Vec<MemberInfo> {
        let own = local.members.iter().map(|member| member_info(member, local.pod));
        let others = self.peers.values().flat_map(|peer| peer.named.values().cloned());
        own.chain(others).take(MOST_NAMED).collect()
    }

    /// The announcement that no member is left on this hub, if there is a peer that has to know.
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

/// The list of the members here, for the other pods. With `ask`, they are asked for their own lists.
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
