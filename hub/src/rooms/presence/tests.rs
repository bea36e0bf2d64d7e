use super::*;
use crate::members::MemberIdentity;
use crate::outbox::{Limits, Outbox};
use crate::protocol::names::MemberName;

/// A pod with members, and its knowledge of other pods.
struct Pod {
    instance: &'static str,
    name: Arc<str>,
    members: Members,
    presence: RoomPresence,
}

impl Pod {
    fn new(instance: &'static str) -> Self {
        Self {
            instance,
            name: format!("hub-{instance}").into(),
            members: Members::default(),
            presence: RoomPresence::default(),
        }
    }

    fn local_members<'a>(instance: &'a str, pod: &'a Arc<str>, members: &'a Members) -> LocalMembers<'a> {
        LocalMembers { instance, pod, members }
    }

    fn join(&mut self, key: ConnectionKey, name: &str) {
        self.join_from(None, key, name);
    }

    fn join_from(&mut self, origin: Option<&str>, key: ConnectionKey, name: &str) {
        let identity = Arc::new(MemberIdentity { name: MemberName::new(name.into()).unwrap(), user: None });
        let outbox = Outbox::alone(Limits { records: 1, bytes: 1 });
        let member = Member { key, outbox, identity, wants_presence: true, origin: origin.map(Into::into) };
        let previous = self.members.insert(member.clone());
        let local = Self::local_members(self.instance, &self.name, &self.members);
        self.presence.member_joined(local, &member, previous.as_ref(), true);
    }

    fn leave(&mut self, key: ConnectionKey) {
        let member = self.members.remove(key).unwrap();
        self.presence.member_left(
            Self::local_members(self.instance, &self.name, &self.members),
            &member,
            true,
        );
    }

    fn list(&self, ask: bool) -> String {
        member_list(Self::local_members(self.instance, &self.name, &self.members), ask)
    }

    fn announces(&mut self, now: Instant) -> Option<String> {
        self.presence.next_announcement(
            Self::local_members(self.instance, &self.name, &self.members),
            now,
            true,
        )
    }

    fn receives(&mut self, payload: &str) -> bool {
        self.presence.apply(&PresenceEvent::read(payload).unwrap(), true)
    }

    /// The count, the number of pods, and the names of the members that joined and left.
    fn notices(&mut self, now: Instant) -> Option<(usize, usize, Vec<String>, Vec<String>)> {
        let local = Self::local_members(self.instance, &self.name, &self.members);
        let notice = self.presence.next_notice("lobby", local, now)?;
        let names = |members: Vec<MemberInfo>| {
            let mut names: Vec<_> = members.into_iter().map(|member| member.name).collect();
            names.sort();
            names
        };
        Some((notice.count, notice.pods, names(notice.joined), names(notice.left)))
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// Two pods that know each other: Ada on the first, Grace on the second.
fn two(now: Instant) -> (Pod, Pod) {
    let (mut a, mut b) = (Pod::new("a"), Pod::new("b"));
    a.join(1, "Ada");
    assert!(a.receives(&b.list(true)));
    assert!(!b.receives(&a.list(false)));
    b.join(1, "Grace");
    a.receives(&b.announces(now).unwrap());
    a.notices(now);
    b.notices(now);
    (a, b)
}

#[test]
fn two_pods_know_of_each_other_s_members() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);
    assert_eq!((a.presence.remote_count(), b.presence.remote_count()), ((1, 1), (1, 1)));

    b.join(2, "Edsger");
    b.join(3, "Passer-by");
    b.leave(3);
    a.receives(&b.announces(now).unwrap());
    b.leave(1);
    a.receives(&b.announces(now).unwrap());

    assert_eq!(a.notices(now), None, "too soon");
    let later = now + PACE;
    assert_eq!(a.notices(later), Some((2, 2, names(&["Edsger"]), names(&["Grace"]))));
    assert_eq!(b.notices(later), Some((2, 2, names(&["Edsger"]), names(&["Grace"]))));
    assert_eq!(a.notices(later + PACE), None, "nothing new");
    assert!(!a.presence.has_pending() && !b.presence.has_pending());
}

#[test]
fn a_pod_without_peers_announces_nothing() {
    let mut a = Pod::new("a");
    a.join(1, "Ada");

    assert_eq!(a.announces(Instant::now()), None);
}

#[test]
fn a_pod_that_is_gone_takes_its_members_along() {
    let now = Instant::now();
    let (mut a, _) = two(now);

    a.presence.remove_peer("b", true);

    assert_eq!(a.notices(now + PACE), Some((1, 1, names(&[]), names(&["Grace"]))));
}

#[test]
fn a_member_that_is_handed_over_changes_its_pod_at_once_for_everyone() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);
    let mut c = Pod::new("c");
    c.join(1, "Edsger");
    for pod in [&mut a, &mut b] {
        pod.receives(&c.list(false));
        c.receives(&pod.list(false));
        pod.notices(now + PACE);
    }
    c.notices(now + PACE);
    let now = now + 2 * PACE;

    // Ada is handed over from the first pod to the second.
    b.join_from(Some("a.1"), 7, "Ada");
    let announced = b.announces(now).unwrap();
    assert_eq!(b.notices(now), None, "announcements on their way may list her again");
    b.receives(&a.list(false));
    let PresenceEvent::Changed { origins, .. } = PresenceEvent::read(&announced).unwrap() else {
        panic!("{announced}")
    };
    b.presence.remove_moved(&origins, true);
    c.receives(&announced);
    a.leave(1);
    a.receives(&announced);

    let swapped = Some((3, 2, names(&["Ada"]), names(&["Ada"])));
    assert_eq!((a.notices(now), b.notices(now), c.notices(now)), (swapped.clone(), swapped.clone(), swapped));
    let left = a.announces(now).unwrap();
    for pod in [&mut b, &mut c] {
        pod.receives(&left);
        assert_eq!(pod.announces(now), None, "nothing has to be asked for");
        assert_eq!(pod.notices(now + PACE), None);
    }
}

#[test]
fn lists_are_asked_for_when_announcements_do_not_fit_together() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);

    b.join(2, "Edsger");
    b.announces(now).expect("it is lost");
    b.join(3, "Barbara");
    a.receives(&b.announces(now).unwrap());
    let asks = a.announces(now).unwrap();
    assert!(b.receives(&asks));
    a.receives(&b.list(false));

    assert_eq!(a.announces(now), None);
    assert_eq!(a.notices(now + PACE), Some((4, 2, names(&["Barbara", "Edsger"]), names(&[]))));
}

#[test]
fn a_peer_that_does_not_answer_after_an_outage_is_removed() {
    let now = Instant::now();
    let (mut a, b) = two(now);

    a.presence.mark_unconfirmed(now);
    a.announces(now + PATIENCE);
    assert_eq!(a.presence.remote_count(), (1, 1));
    a.receives(&b.list(false));
    a.announces(now + 2 * PATIENCE);
    assert_eq!(a.presence.remote_count(), (1, 1));
    a.presence.mark_unconfirmed(now);
    a.announces(now + 2 * PATIENCE);

    assert_eq!(a.presence.remote_count(), (0, 0));
}

#[test]
fn a_large_room_is_counted_and_not_named() {
    let now = Instant::now();
    let (mut a, mut b) = (Pod::new("a"), Pod::new("b"));
    a.join(1, "Ada");
    a.receives(&b.list(true));
    b.receives(&a.list(false));
    for key in 0..1_500 {
        b.join(key, "x");
    }

    a.receives(&b.announces(now).unwrap());
    assert_eq!(a.notices(now), Some((1_501, 2, vec![], vec![])));
    assert_eq!(
        a.presence.member_infos(Pod::local_members(a.instance, &a.name, &a.members)).len(),
        MOST_NAMED
    );
    for key in 10..1_500 {
        b.leave(key);
    }
    a.receives(&b.announces(now).unwrap());
    if let Some(asks) = a.announces(now) {
        b.receives(&asks);
        a.receives(&b.list(false));
    }

    assert_eq!(a.presence.remote_count(), (10, 1));
    assert_eq!(a.presence.member_infos(Pod::local_members(a.instance, &a.name, &a.members)).len(), 11);
}

#[test]
fn every_peer_that_was_asked_is_waited_for() {
    let (mut a, b, c) = (Pod::new("a"), Pod::new("b"), Pod::new("c"));

    a.presence.sync_requested(2);
    assert!(!a.presence.is_synced());
    a.receives(&b.list(false));
    a.receives(&b.list(false));
    assert!(!a.presence.is_synced());
    a.receives(&c.list(false));
    assert!(a.presence.is_synced());
}

#[test]
fn a_payload_that_is_no_event_is_not_read() {
    for payload in
        ["", "{}", "{\"k\":\"list\"}", "{\"k\":\"list\",\"i\":\"a\",\"p\":\"a\",\"n\":-1,\"m\":[]}"]
    {
        assert!(PresenceEvent::read(payload).is_none(), "{payload}");
    }
}
