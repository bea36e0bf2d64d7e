use super::*;

const EPOCH: u64 = 1_700_000_000_000;

fn at(number: u64) -> Position {
    Position { epoch: EPOCH, number }
}

fn message_at(position: Position) -> Arc<StoredMessage> {
    Arc::new(StoredMessage::read_body(position, r#"{"text":"x"}"#, "me").unwrap())
}

fn message(number: u64) -> Arc<StoredMessage> {
    message_at(at(number))
}

fn page(last: u64, messages: impl IntoIterator<Item = u64>) -> HistoryPage {
    HistoryPage { last: Some(at(last)), messages: messages.into_iter().map(message).collect() }
}

/// A timeline that knows the messages 1 to `last`.
fn current(most: usize, last: u64) -> Timeline {
    let mut timeline = Timeline::new(most);
    timeline.caught_up(HistoryPage::default());
    for number in 1..=last {
        assert_eq!(timeline.receive(&message(number)), Arrival::Next);
    }
    timeline
}

/// Numbers of messages; a gap as the negative number of the last one before it.
fn numbers(caught_up: &CaughtUp) -> Vec<i64> {
    let number = |position: Position| i64::try_from(position.number).unwrap();
    let number_of = |step: &Step| match step {
        Step::Gap(after) => -after.map_or(0, number),
        Step::Message(message) => number(message.position),
    };
    caught_up.steps.iter().map(number_of).collect()
}

fn recent(timeline: &Timeline) -> Vec<u64> {
    timeline.latest(usize::MAX).iter().map(|message| message.position.number).collect()
}

#[test]
fn each_message_follows_the_last_one_and_none_is_delivered_twice() {
    let mut timeline = current(3, 5);

    assert_eq!(timeline.receive(&message(5)), Arrival::Duplicate);
    assert_eq!(timeline.receive(&message(6)), Arrival::Next);
    assert_eq!(timeline.last(), Some(at(6)));
    assert_eq!(recent(&timeline), [4, 5, 6]);
}

#[test]
fn missed_messages_are_delivered_in_their_place() {
    let mut timeline = current(10, 2);

    assert_eq!(timeline.receive(&message(5)), Arrival::Gap);
    assert_eq!(timeline.receive(&message(6)), Arrival::Buffered);
    let caught_up = timeline.caught_up(page(5, [3, 4, 5]));

    assert_eq!(numbers(&caught_up), [3, 4, 5, 6]);
    assert!(!caught_up.again && !timeline.is_behind());
    assert_eq!(recent(&timeline), [1, 2, 3, 4, 5, 6]);
}

#[test]
fn messages_that_are_no_longer_stored_are_a_gap() {
    let mut timeline = current(10, 2);

    timeline.fall_behind();
    let caught_up = timeline.caught_up(page(8, [6, 7, 8]));

    assert_eq!(numbers(&caught_up), [-2, 6, 7, 8]);
    assert_eq!(recent(&timeline), [6, 7, 8]);
}

#[test]
fn without_a_history_buffered_messages_are_delivered_and_the_rest_is_a_gap() {
    let mut timeline = current(0, 2);

    timeline.receive(&message(5));
    assert_eq!(numbers(&timeline.caught_up(page(5, []))), [-2, 5]);

    timeline.fall_behind();
    assert_eq!(numbers(&timeline.caught_up(page(9, []))), [-5]);
    assert_eq!(timeline.receive(&message(10)), Arrival::Next);
}

#[test]
fn nothing_is_delivered_if_nothing_was_missed() {
    let mut timeline = current(10, 2);

    timeline.fall_behind();

    assert_eq!(numbers(&timeline.caught_up(page(2, []))), [0_i64; 0]);
    assert_eq!(recent(&timeline), [1, 2]);
}

#[test]
fn a_history_that_started_again_is_one_gap_and_then_complete() {
    let mut timeline = current(10, 5);
    let restarted = |number| Position { epoch: EPOCH - 1, number };

    assert_eq!(timeline.receive(&message_at(restarted(2))), Arrival::Gap);
    let messages = [restarted(1), restarted(2)].map(message_at).into();
    let caught_up = timeline.caught_up(HistoryPage { last: Some(restarted(2)), messages });

    assert_eq!(numbers(&caught_up), [-5, 1, 2]);
    assert_eq!(timeline.receive(&message_at(restarted(3))), Arrival::Next);
}

#[test]
fn a_history_that_is_gone_is_one_gap() {
    let mut timeline = current(10, 5);

    timeline.fall_behind();
    assert_eq!(numbers(&timeline.caught_up(HistoryPage::default())), [-5]);
    assert_eq!(recent(&timeline), [0_u64; 0]);

    timeline.fall_behind();
    assert_eq!(numbers(&timeline.caught_up(page(2, [1, 2]))), [1, 2]);
}

#[test]
fn a_history_that_went_back_starts_again_and_keeps_stored_messages_for_new_members() {
    let mut timeline = current(10, 5);
    let restarted = Position { epoch: EPOCH + 1, number: 0 };

    timeline.fall_behind();
    let messages = [1, 2, 3].map(message).into();
    let caught_up = timeline.caught_up(HistoryPage { last: Some(restarted), messages });

    assert_eq!(numbers(&caught_up), [-5]);
    assert_eq!(recent(&timeline), [1, 2, 3]);
    assert_eq!(timeline.receive(&message_at(restarted.next())), Arrival::Next);
    let (after, gap) = timeline.after(at(2));
    assert!(gap && after.len() == 2);
}

#[test]
fn the_first_page_is_not_delivered_but_messages_after_it_are() {
    let mut timeline = Timeline::new(10);

    assert_eq!(timeline.receive(&message(3)), Arrival::Buffered);
    assert_eq!(timeline.receive(&message(4)), Arrival::Buffered);
    let caught_up = timeline.caught_up(page(3, [1, 2, 3]));

    assert_eq!(numbers(&caught_up), [4]);
    assert_eq!(recent(&timeline), [1, 2, 3, 4]);
}

#[test]
fn messages_beyond_the_buffer_are_read_again() {
    let mut timeline = current(5_000, 1);
    timeline.fall_behind();
    for number in 2..4_000 {
        timeline.receive(&message(number));
    }

    let caught_up = timeline.caught_up(page(3, [2, 3]));
    assert_eq!(numbers(&caught_up), [2, 3]);
    assert!(caught_up.again && timeline.is_behind());
    let caught_up = timeline.caught_up(page(3_999, 4..4_000));

    assert_eq!(caught_up.steps.len(), 3_996);
    assert!(!caught_up.again);
}

#[test]
fn an_invented_id_is_looked_for_once_and_then_dropped() {
    let mut timeline = current(10, 2);

    assert_eq!(timeline.receive(&message(1_000)), Arrival::Gap);
    let caught_up = timeline.caught_up(page(2, []));
    assert!(caught_up.again && caught_up.steps.is_empty());
    let caught_up = timeline.caught_up(page(2, []));

    assert_eq!((caught_up.invalid, caught_up.again), (1, false));
    assert_eq!(timeline.receive(&message(3)), Arrival::Next);
}

#[test]
fn a_returning_member_gets_missed_messages_or_a_gap() {
    let timeline = current(3, 8);
    let after = |number| {
        let (messages, gap) = timeline.after(at(number));
        (messages.iter().map(|message| message.position.number).collect::<Vec<_>>(), gap)
    };

    assert_eq!(after(8), (vec![], false));
    assert_eq!(after(6), (vec![7, 8], false));
    assert_eq!(after(5), (vec![6, 7, 8], false));
    assert_eq!(after(4), (vec![6, 7, 8], true));
    assert_eq!(after(9), (vec![6, 7, 8], true));
    assert!(timeline.is_ahead(at(9)) && !timeline.is_ahead(at(8)));
}

#[test]
fn more_than_a_client_can_take_at_once_is_a_gap() {
    let mut timeline = current(100, 2);
    let large = format!("{{\"text\":\"{}\"}}", "x".repeat(30_000));
    let messages = (3..=40)
        .map(|number| Arc::new(StoredMessage::read_body(at(number), &large, "me").unwrap()))
        .collect();

    timeline.fall_behind();
    let steps = numbers(&timeline.caught_up(HistoryPage { last: Some(at(40)), messages }));

    assert_eq!(steps.first(), Some(&-2));
    assert_eq!(steps.last(), Some(&40));
    assert!((10..20).contains(&steps.len()), "{steps:?}");
}
