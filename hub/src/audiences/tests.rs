use super::*;
use crate::members::MemberIdentity;
use crate::outbox::{Limits, Outbox};
use crate::protocol::names::{GroupName, MemberName};

fn audiences() -> Audiences {
    audiences_of("me")
}

fn audiences_of(instance: &str) -> Audiences {
    let (client_results, _) = ClientResults::new(instance, std::time::Duration::from_secs(1));
    Audiences::new(instance, Arc::new(client_results), SubscriptionChanges::new().0, Arc::default())
}

fn group(name: &str) -> Topic {
    Topic::Group(GroupName::new(name.into()).unwrap())
}

fn member(key: ConnectionKey) -> Member {
    let identity = Arc::new(MemberIdentity { name: MemberName::default(), user: None });
    let outbox = Outbox::alone(Limits { records: 10, bytes: 10_000 });
    Member { key, outbox, identity, wants_presence: false, origin: None }
}

async fn received(member: &Member) -> usize {
    member.outbox.push(signalr::encoding::Encoding::Json.ping());
    let mut batch = Vec::new();
    member.outbox.take(&mut batch).await;
    batch.len() - 1
}

#[tokio::test]
async fn a_group_receives_its_invocations_and_all_receive_those_of_all() {
    let audiences = audiences();
    let (ada, grace) = (member(1), member(2));
    audiences.connected("ada", &ada);
    audiences.connected("grace", &grace);
    audiences.subscribe(&group("g"), &ada);

    assert!(audiences.receive(&group("g"), r#"{"t":"x","a":[]}"#));
    assert!(audiences.receive(&Topic::All, r#"{"t":"x","a":[]}"#));
    assert!(audiences.receive(&Topic::All, r#"{"x":"me.1","t":"x","a":[]}"#));
    assert!(audiences.receive(&Topic::All, r#"{"to":"grace","t":"x","a":[]}"#));
    assert!(audiences.receive(&Topic::All, r#"{"to":"elsewhere","t":"x","a":[]}"#));
    assert!(!audiences.receive(&Topic::All, "nonsense"));

    assert_eq!((received(&ada).await, received(&grace).await), (2, 3));
}

#[tokio::test]
async fn invocations_around_a_cut_are_delivered_by_one_hub() {
    let (gives, takes) = (audiences(), audiences_of("other"));
    let (here, there) = (member(1), member(7));
    let request = takes.client_results.register(there.key).unwrap();
    let claim = HandoverClaim { connection: "ada".into(), request_id: request.id().into(), cut: true }.json();
    gives.connected("ada", &here);
    takes.expect_handover(there.key);
    takes.connected("ada", &there);
    for (hub, member) in [(&gives, &here), (&takes, &there)] {
        hub.subscribe(&group("g"), member);
    }

    let send = |hub: &Audiences| {
        hub.receive(&group("g"), r#"{"t":"x","a":[]}"#);
        hub.receive(&Topic::All, r#"{"t":"x","a":[]}"#);
        hub.receive(&Topic::All, r#"{"to":"ada","t":"x","a":[]}"#);
    };
    send(&gives);
    send(&takes);
    assert!(
        !takes.deliver_to_connection(r#"{"to":"ada","t":"x","a":[]}"#),
        "it has to go over the backplane"
    );
    assert_eq!((received(&here).await, received(&there).await), (3, 0));
    for hub in [&gives, &takes] {
        hub.receive(&Topic::All, &claim);
        send(hub);
    }

    assert!(takes.deliver_to_connection(r#"{"to":"ada","t":"x","a":[]}"#));
    assert!(!gives.deliver_to_connection(r#"{"to":"ada","t":"x","a":[]}"#));
    assert_eq!((received(&here).await, received(&there).await), (0, 4));
    gives.disconnected("ada", 1);
    assert!(gives.in_handover.read().unwrap().is_empty());
}

#[test]
fn the_last_connection_leaves_no_topic_behind() {
    let audiences = audiences();
    audiences.connected("ada", &member(1));
    audiences.subscribe(&group("g"), &member(1));
    audiences.subscribe(&group("g"), &member(2));

    audiences.unsubscribe(&group("g"), 1);
    assert!(audiences.has_subscribers(&group("g")));
    audiences.unsubscribe(&group("g"), 2);
    audiences.disconnected("ada", 1);

    assert_eq!(audiences.subscribed_topics(), [Topic::All, Topic::Hub("me".into())]);
    assert!(!audiences.is_local("ada"));
}
