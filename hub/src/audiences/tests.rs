use super::*;
use crate::members::Who;
use crate::outbox::{Limits, Outbox};
use crate::protocol::room::{GroupName, MemberName};

fn audiences() -> Audiences {
    audiences_of("me")
}

fn audiences_of(instance: &str) -> Audiences {
    let (questions, _) = Questions::new(instance, std::time::Duration::from_secs(1));
    Audiences::new(instance, Arc::new(questions), Changes::new().0, Arc::default())
}

fn group(name: &str) -> Topic {
    Topic::Group(GroupName::new(name.into()).unwrap())
}

fn member(key: ConnectionKey) -> Member {
    let who = Arc::new(Who { name: MemberName::default(), user: None });
    let outbox = Outbox::alone(Limits { records: 10, bytes: 10_000 });
    Member { key, outbox, who, presence: false, former: None }
}

async fn heard(member: &Member) -> usize {
    member.outbox.push(signalr::encoding::Encoding::Json.ping());
    let mut batch = Vec::new();
    member.outbox.take(&mut batch).await;
    batch.len() - 1
}

#[tokio::test]
async fn a_group_hears_what_is_for_it_and_all_hear_what_is_for_all() {
    let audiences = audiences();
    let (ada, grace) = (member(1), member(2));
    audiences.connected("ada", &ada);
    audiences.connected("grace", &grace);
    audiences.join(&group("g"), &ada);

    assert!(audiences.hear(&group("g"), r#"{"t":"x","a":[]}"#));
    assert!(audiences.hear(&Topic::All, r#"{"t":"x","a":[]}"#));
    assert!(audiences.hear(&Topic::All, r#"{"x":"me.1","t":"x","a":[]}"#));
    assert!(audiences.hear(&Topic::All, r#"{"to":"grace","t":"x","a":[]}"#));
    assert!(audiences.hear(&Topic::All, r#"{"to":"elsewhere","t":"x","a":[]}"#));
    assert!(!audiences.hear(&Topic::All, "nonsense"));

    assert_eq!((heard(&ada).await, heard(&grace).await), (2, 3));
}

#[tokio::test]
async fn what_is_said_around_a_cut_is_told_by_one_hub() {
    let (gives, takes) = (audiences(), audiences_of("other"));
    let (here, there) = (member(1), member(7));
    let question = takes.questions.ask(there.key).unwrap();
    let claim = Claim { claim: "ada".into(), question: question.id().into(), cut: true }.json();
    gives.connected("ada", &here);
    takes.wait(there.key);
    takes.connected("ada", &there);
    for (hub, member) in [(&gives, &here), (&takes, &there)] {
        hub.join(&group("g"), member);
    }

    let say = |hub: &Audiences| {
        hub.hear(&group("g"), r#"{"t":"x","a":[]}"#);
        hub.hear(&Topic::All, r#"{"t":"x","a":[]}"#);
        hub.hear(&Topic::All, r#"{"to":"ada","t":"x","a":[]}"#);
    };
    say(&gives);
    say(&takes);
    assert!(!takes.tell_one(r#"{"to":"ada","t":"x","a":[]}"#), "it has to go over the backplane");
    assert_eq!((heard(&here).await, heard(&there).await), (3, 0));
    for hub in [&gives, &takes] {
        hub.hear(&Topic::All, &claim);
        say(hub);
    }

    assert!(takes.tell_one(r#"{"to":"ada","t":"x","a":[]}"#));
    assert!(!gives.tell_one(r#"{"to":"ada","t":"x","a":[]}"#));
    assert_eq!((heard(&here).await, heard(&there).await), (0, 4));
    gives.disconnected("ada", 1);
    assert!(gives.deaf.read().unwrap().is_empty());
}

#[test]
fn the_last_to_leave_leaves_nothing_behind() {
    let audiences = audiences();
    audiences.connected("ada", &member(1));
    audiences.join(&group("g"), &member(1));
    audiences.join(&group("g"), &member(2));

    audiences.leave(&group("g"), 1);
    assert!(audiences.is_wanted(&group("g")));
    audiences.leave(&group("g"), 2);
    audiences.disconnected("ada", 1);

    assert_eq!(audiences.wanted(), [Topic::All, Topic::Hub("me".into())]);
    assert!(!audiences.is_here("ada"));
}
