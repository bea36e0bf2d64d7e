use super::*;
use crate::members::Who;
use crate::outbox::{Limits, Outbox};
use crate::protocol::room::MemberName;

/// A pod with members, and what it knows of the others.
struct Pod {
    instance: &'static str,
    name: Arc<str>,
    members: Members,
    crowd: Crowd,
}

impl Pod {
    fn new(instance: &'static str) -> Self {
        Self {
            instance,
            name: format!("hub-{instance}").into(),
            members: Members::default(),
            crowd: Crowd::default(),
        }
    }

    fn here<'a>(instance: &'a str, pod: &'a Arc<str>, members: &'a Members) -> Here<'a> {
        Here { instance, pod, members }
    }

    fn join(&mut self, key: ConnectionKey, name: &str) {
        self.join_from(None, key, name);
    }

    fn join_from(&mut self, former: Option<&str>, key: ConnectionKey, name: &str) {
        let who = Arc::new(Who { name: MemberName::new(name.into()).unwrap(), user: None });
        let outbox = Outbox::alone(Limits { records: 1, bytes: 1 });
        let member = Member { key, outbox, who, presence: true, former: former.map(Into::into) };
        let former = self.members.insert(member.clone());
        let here = Self::here(self.instance, &self.name, &self.members);
        self.crowd.came(here, &member, former.as_ref(), true);
    }

    fn leave(&mut self, key: ConnectionKey) {
        let member = self.members.remove(key).unwrap();
        self.crowd.went(Self::here(self.instance, &self.name, &self.members), &member, true);
    }

    fn list(&self, ask: bool) -> String {
        list(Self::here(self.instance, &self.name, &self.members), ask)
    }

    fn tells(&mut self, now: Instant) -> Option<String> {
        self.crowd.tell_peers(Self::here(self.instance, &self.name, &self.members), now, true)
    }

    fn hears(&mut self, payload: &str) -> bool {
        self.crowd.hear(&Event::read(payload).unwrap(), true)
    }

    /// Count, pods, who came, who left.
    fn news(&mut self, now: Instant) -> Option<(usize, usize, Vec<String>, Vec<String>)> {
        let here = Self::here(self.instance, &self.name, &self.members);
        let told = self.crowd.tell_members("lobby", here, now)?;
        let names = |people: Vec<Person>| {
            let mut names: Vec<_> = people.into_iter().map(|person| person.name).collect();
            names.sort();
            names
        };
        Some((told.count, told.pods, names(told.joined), names(told.left)))
    }
}

fn names(names: &[&str]) -> Vec<String> {
    names.iter().map(|&name| name.into()).collect()
}

/// Two pods that know each other: Ada on the first, Grace on the second.
fn two(now: Instant) -> (Pod, Pod) {
    let (mut a, mut b) = (Pod::new("a"), Pod::new("b"));
    a.join(1, "Ada");
    assert!(a.hears(&b.list(true)));
    assert!(!b.hears(&a.list(false)));
    b.join(1, "Grace");
    a.hears(&b.tells(now).unwrap());
    a.news(now);
    b.news(now);
    (a, b)
}

#[test]
fn two_pods_know_of_each_other_s_members() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);
    assert_eq!((a.crowd.elsewhere(), b.crowd.elsewhere()), ((1, 1), (1, 1)));

    b.join(2, "Edsger");
    b.join(3, "Passer-by");
    b.leave(3);
    a.hears(&b.tells(now).unwrap());
    b.leave(1);
    a.hears(&b.tells(now).unwrap());

    assert_eq!(a.news(now), None, "too soon");
    let later = now + PACE;
    assert_eq!(a.news(later), Some((2, 2, names(&["Edsger"]), names(&["Grace"]))));
    assert_eq!(b.news(later), Some((2, 2, names(&["Edsger"]), names(&["Grace"]))));
    assert_eq!(a.news(later + PACE), None, "nothing new");
    assert!(!a.crowd.is_busy() && !b.crowd.is_busy());
}

#[test]
fn who_is_alone_tells_nobody() {
    let mut a = Pod::new("a");
    a.join(1, "Ada");

    assert_eq!(a.tells(Instant::now()), None);
}

#[test]
fn a_pod_that_is_gone_takes_its_members_along() {
    let now = Instant::now();
    let (mut a, _) = two(now);

    a.crowd.forget("b", true);

    assert_eq!(a.news(now + PACE), Some((1, 1, names(&[]), names(&["Grace"]))));
}

#[test]
fn who_goes_on_at_another_pod_changes_it_at_once_for_everyone() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);
    let mut c = Pod::new("c");
    c.join(1, "Edsger");
    for pod in [&mut a, &mut b] {
        pod.hears(&c.list(false));
        c.hears(&pod.list(false));
        pod.news(now + PACE);
    }
    c.news(now + PACE);
    let now = now + 2 * PACE;

    // Ada, from the first pod to the second.
    b.join_from(Some("a.1"), 7, "Ada");
    let told = b.tells(now).unwrap();
    assert_eq!(b.news(now), None, "she may come again in what is on its way");
    b.hears(&a.list(false));
    let Event::Changed { f, .. } = Event::read(&told).unwrap() else { panic!("{told}") };
    b.crowd.hear_moved(&f, true);
    c.hears(&told);
    a.leave(1);
    a.hears(&told);

    let swapped = Some((3, 2, names(&["Ada"]), names(&["Ada"])));
    assert_eq!((a.news(now), b.news(now), c.news(now)), (swapped.clone(), swapped.clone(), swapped));
    let left = a.tells(now).unwrap();
    for pod in [&mut b, &mut c] {
        pod.hears(&left);
        assert_eq!(pod.tells(now), None, "nothing is doubtful");
        assert_eq!(pod.news(now + PACE), None);
    }
}

#[test]
fn what_does_not_fit_together_is_asked_for() {
    let now = Instant::now();
    let (mut a, mut b) = two(now);

    b.join(2, "Edsger");
    b.tells(now).expect("it is lost");
    b.join(3, "Barbara");
    a.hears(&b.tells(now).unwrap());
    let asks = a.tells(now).unwrap();
    assert!(b.hears(&asks));
    a.hears(&b.list(false));

    assert_eq!(a.tells(now), None);
    assert_eq!(a.news(now + PACE), Some((4, 2, names(&["Barbara", "Edsger"]), names(&[]))));
}

#[test]
fn who_does_not_answer_after_an_outage_is_given_up() {
    let now = Instant::now();
    let (mut a, b) = two(now);

    a.crowd.doubt(now);
    a.tells(now + PATIENCE);
    assert_eq!(a.crowd.elsewhere(), (1, 1));
    a.hears(&b.list(false));
    a.tells(now + 2 * PATIENCE);
    assert_eq!(a.crowd.elsewhere(), (1, 1));
    a.crowd.doubt(now);
    a.tells(now + 2 * PATIENCE);

    assert_eq!(a.crowd.elsewhere(), (0, 0));
}

#[test]
fn a_large_room_is_counted_and_not_named() {
    let now = Instant::now();
    let (mut a, mut b) = (Pod::new("a"), Pod::new("b"));
    a.join(1, "Ada");
    a.hears(&b.list(true));
    b.hears(&a.list(false));
    for key in 0..1_500 {
        b.join(key, "x");
    }

    a.hears(&b.tells(now).unwrap());
    assert_eq!(a.news(now), Some((1_501, 2, vec![], vec![])));
    assert_eq!(a.crowd.people(Pod::here(a.instance, &a.name, &a.members)).len(), MOST_NAMED);
    for key in 10..1_500 {
        b.leave(key);
    }
    a.hears(&b.tells(now).unwrap());
    if let Some(asks) = a.tells(now) {
        b.hears(&asks);
        a.hears(&b.list(false));
    }

    assert_eq!(a.crowd.elsewhere(), (10, 1));
    assert_eq!(a.crowd.people(Pod::here(a.instance, &a.name, &a.members)).len(), 11);
}

#[test]
fn all_are_waited_for_who_were_asked() {
    let (mut a, b, c) = (Pod::new("a"), Pod::new("b"), Pod::new("c"));

    a.crowd.asked(2);
    assert!(!a.crowd.is_settled());
    a.hears(&b.list(false));
    a.hears(&b.list(false));
    assert!(!a.crowd.is_settled());
    a.hears(&c.list(false));
    assert!(a.crowd.is_settled());
}

#[test]
fn what_is_no_event_is_not_read() {
    for payload in
        ["", "{}", "{\"k\":\"list\"}", "{\"k\":\"list\",\"i\":\"a\",\"p\":\"a\",\"n\":-1,\"m\":[]}"]
    {
        assert!(Event::read(payload).is_none(), "{payload}");
    }
}
