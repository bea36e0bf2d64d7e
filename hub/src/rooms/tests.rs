use std::sync::Arc;

use super::timeline::HistoryPage;
use super::*;
use crate::members::{ConnectionKey, Member, MemberIdentity};
use crate::outbox::{CloseReason, Limits, Outbox};
use crate::protocol::names::{MemberName, RoomName};
use crate::protocol::position::Position;
use crate::topics::SubscriptionChanges;

fn rooms() -> Arc<Rooms> {
    let local_hub = LocalHub { pod: "hub-a".into(), instance: "a".into(), history: 10 };
    Arc::new(Rooms::new(local_hub, SubscriptionChanges::new().0, Arc::default()))
}

fn name(name: &str) -> RoomName {
    RoomName::new(name.into()).unwrap()
}

fn member(key: ConnectionKey) -> Member {
    let outbox = Outbox::alone(Limits { records: 100, bytes: 10_000 });
    let identity = Arc::new(MemberIdentity { name: MemberName::default(), user: None });
    Member { key, outbox, identity, wants_presence: false, origin: None }
}

async fn received(member: &Member) -> usize {
    let mut batch = Vec::new();
    member.outbox.take(&mut batch).await;
    batch.len()
}

#[test]
fn a_room_is_removed_with_its_last_member_and_its_last_hold() {
    let rooms = rooms();

    let hold = rooms.hold(&name("a"));
    assert_eq!(hold.join(&member(1), HistoryRequest::Latest(5), |snapshot| snapshot).members, 1);
    assert_eq!(hold.join(&member(2), HistoryRequest::Latest(5), |snapshot| snapshot).members, 2);
    assert_eq!(hold.join(&member(2), HistoryRequest::Latest(5), |snapshot| snapshot).members, 2);

    rooms.leave("a", 1);
    rooms.leave("a", 1);
    rooms.leave("a", 2);
    assert!(rooms.has_subscribers("a"));
    drop(hold);
    assert!(!rooms.has_subscribers("a"));
    assert_eq!(rooms.count(), 0);
}

#[tokio::test]
async fn a_message_reaches_its_own_room_and_not_the_excluded_member() {
    let rooms = rooms();
    let (ada, grace, elsewhere) = (member(1), member(2), member(3));
    for (room, member) in [("a", &ada), ("a", &grace), ("b", &elsewhere)] {
        let hold = rooms.hold(&name(room));
        rooms.caught_up(&hold, HistoryPage::default());
        hold.join(member, HistoryRequest::Latest(5), |snapshot| snapshot);
    }

    assert!(rooms.receive("a", r#"17-1 {"text":"x"}"#));
    assert!(rooms.receive("a", r#"17-2 a.1 {"text":"x"}"#));
    assert!(rooms.receive("b", r#"17-1 {"text":"x"}"#));
    assert!(!rooms.receive("a", "17-2 nonsense"));

    assert_eq!((received(&ada).await, received(&grace).await, received(&elsewhere).await), (1, 2, 1));
}

#[tokio::test]
async fn a_new_member_gets_the_history_and_receives_later_messages() {
    let rooms = rooms();
    let hold = rooms.hold(&name("a"));
    rooms.caught_up(&hold, HistoryPage::default());
    rooms.receive("a", r#"17-1 {"text":"x"}"#);
    rooms.receive("a", r#"17-2 {"text":"y"}"#);
    let ada = member(1);

    let snapshot = hold.join(&ada, HistoryRequest::Latest(1), |snapshot| snapshot);
    rooms.receive("a", r#"17-3 {"text":"z"}"#);

    assert_eq!(snapshot.last, Some(Position { epoch: 17, number: 2 }));
    assert_eq!(snapshot.messages.len(), 1);
    assert_eq!(received(&ada).await, 1);
}

#[tokio::test]
async fn a_member_that_joined_before_the_history_was_loaded_is_told_of_a_gap() {
    let rooms = rooms();
    let hold = rooms.hold(&name("a"));
    let (ada, grace) = (member(1), member(2));
    let last = Position { epoch: 17, number: 2 };
    hold.join(&ada, HistoryRequest::Latest(5), |snapshot| snapshot);
    assert!(hold.join(&grace, HistoryRequest::Since(last), |snapshot| snapshot).gap);

    rooms.caught_up(&hold, HistoryPage { last: Some(last), messages: Vec::new() });
    rooms.receive("a", r#"17-3 {"text":"z"}"#);

    assert_eq!((received(&ada).await, received(&grace).await), (2, 1));
}

#[test]
fn members_that_join_and_leave_concurrently_leave_no_room_behind() {
    let rooms = rooms();

    std::thread::scope(|scope| {
        for key in 0..4 {
            let rooms = &rooms;
            scope.spawn(move || {
                for _ in 0..2_000 {
                    rooms.hold(&name("a")).join(&member(key), HistoryRequest::Latest(0), |snapshot| snapshot);
                    assert!(rooms.has_subscribers("a"));
                    rooms.leave("a", key);
                }
            });
        }
    });

    assert_eq!(rooms.count(), 0);
}

#[tokio::test]
async fn a_join_is_answered_before_any_message() {
    let rooms = rooms();
    let hold = rooms.hold(&name("a"));
    rooms.caught_up(&hold, HistoryPage::default());
    let ada = member(1);

    hold.join(&ada, HistoryRequest::Latest(5), |_| {
        rooms.receive("a", r#"17-1 {"text":"meanwhile"}"#);
        ada.outbox.push(signalr::encoding::Encoding::Json.ping());
    });

    let mut batch = Vec::new();
    ada.outbox.take(&mut batch).await;
    assert_eq!(batch[0], signalr::encoding::Encoding::Json.ping());
    assert!(batch[1].windows(9).any(|window| window == b"meanwhile"));
}

#[tokio::test]
async fn a_history_that_is_loaded_during_a_join_is_a_gap_to_the_new_member() {
    let rooms = rooms();
    let hold = rooms.hold(&name("a"));
    let ada = member(1);
    let last = Some(Position { epoch: 17, number: 2 });

    hold.join(&ada, HistoryRequest::Latest(5), |snapshot| {
        assert_eq!(snapshot.last, None);
        rooms.caught_up(&hold, HistoryPage { last, messages: Vec::new() });
    });

    assert_eq!(received(&ada).await, 1);
}

#[tokio::test]
async fn a_member_in_handover_receives_nothing_and_is_listed_until_another_hub_announces_it() {
    let rooms = rooms();
    let (ada, grace) = (member(1), member(2));
    let hold = rooms.hold(&name("a"));
    rooms.caught_up(&hold, HistoryPage::default());
    for member in [&ada, &grace] {
        hold.join(member, HistoryRequest::Latest(5), |snapshot| snapshot);
    }
    drop(hold);
    rooms.receive("a", r#"17-1 {"text":"x"}"#);
    let closed = member(0).outbox;
    closed.end(CloseReason::HandedOver);

    let last = rooms.hand_over("a", 1, &closed);
    rooms.receive("a", r#"17-2 {"text":"y"}"#);
    assert_eq!(last, Some(Position { epoch: 17, number: 1 }));
    assert_eq!((received(&ada).await, received(&grace).await), (1, 2));
    assert_eq!(rooms.find("a").unwrap().member_list().0, 2);

    // Grace was not handed over, whatever other hubs announce.
    let announced = r#"{"k":"list","i":"b","p":"hub-b","n":1,"m":[[7,"Ada",null]],"f":["a.1","a.2"]}"#;
    assert!(rooms.receive("a", announced));
    rooms.finish_handover("a", 1).await;
    assert_eq!(rooms.find("a").unwrap().member_list().0, 2);
    rooms.leave("a", 2);
    assert_eq!(rooms.count(), 0);
}

#[tokio::test]
async fn a_member_in_handover_that_no_hub_announces_leaves() {
    let rooms = rooms();
    rooms.hold(&name("a")).join(&member(1), HistoryRequest::Latest(5), |snapshot| snapshot);
    let closed = member(0).outbox;
    closed.end(CloseReason::HandedOver);
    rooms.hand_over("a", 1, &closed);

    rooms.finish_handover("a", 1).await;

    assert_eq!(rooms.count(), 0);
}
