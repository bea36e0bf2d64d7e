use super::*;

use futures::{FutureExt, StreamExt};

fn key(name: &str) -> Key {
    ("team".to_owned(), name.to_owned())
}

fn queue() -> Arc<Queue> {
    let queue = Queue::new(Arc::default());
    queue.open();
    queue
}

/// Takes all that wait, each after the one before has been reconciled.
fn order(queue: &Arc<Queue>) -> Vec<String> {
    std::iter::from_fn(|| queue.take()).map(|running| running.cluster().1.clone()).collect()
}

fn depth(queue: &Queue) -> String {
    let text = queue.metrics.render();
    let line = text.lines().find(|line| line.starts_with("chatcluster_reconcile_queue_depth "));
    line.and_then(|line| line.rsplit_once(' ')).map_or_else(String::new, |(_, depth)| depth.to_owned())
}

#[test]
fn the_most_urgent_is_first_and_equals_are_taken_as_they_came() {
    let queue = queue();
    for (name, urgency) in [
        ("l1", Urgency::Later),
        ("n1", Urgency::New),
        ("a", Urgency::Now),
        ("n2", Urgency::New),
        ("l2", Urgency::Later),
        ("s", Urgency::Soon),
    ] {
        queue.push(&key(name), urgency);
    }

    assert_eq!(order(&queue), ["a", "n1", "n2", "s", "l1", "l2"]);
}

#[test]
fn a_cluster_waits_once_and_with_its_greatest_urgency() {
    let queue = queue();
    queue.push(&key("first"), Urgency::New);
    for urgency in [Urgency::Later, Urgency::Now, Urgency::Later, Urgency::New] {
        queue.push(&key("lobby"), urgency);
    }
    assert_eq!(depth(&queue), "2");

    assert_eq!(order(&queue), ["lobby", "first"]);
    assert_eq!(depth(&queue), "0");

    queue.push(&key("lobby"), Urgency::Later);
    assert_eq!(order(&queue), ["lobby"]);
}

#[test]
fn those_that_can_wait_have_their_share() {
    let queue = queue();
    queue.push(&key("later"), Urgency::Later);
    queue.push(&key("soon"), Urgency::Soon);
    for number in 0..2 * SHARE {
        queue.push(&key(&format!("new-{number:02}")), Urgency::New);
    }

    let order = order(&queue);

    let position = |of: &str| order.iter().position(|name| name == of);
    assert_eq!((position("soon"), position("later")), (Some(SHARE - 1), Some(2 * SHARE - 1)));
}

#[test]
fn one_that_is_being_reconciled_is_passed_over_until_that_ends() {
    let queue = queue();
    queue.push(&key("lobby"), Urgency::Now);
    let running = queue.take().unwrap();
    queue.push(&key("lobby"), Urgency::Now);
    queue.push(&key("hall"), Urgency::Later);

    assert_eq!(order(&queue), ["hall"]);
    drop(running);
    assert_eq!(order(&queue), ["lobby"]);
}

#[tokio::test]
async fn no_more_are_taken_than_can_have_a_turn_soon() {
    let queue = queue();
    let mut clusters = std::pin::pin!(queue.clone().clusters());
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        turns.push(queue.turn().await);
    }
    for number in 0..=AHEAD {
        queue.push(&key(&format!("c{number}")), Urgency::New);
    }
    let mut taken = Vec::new();
    for _ in 0..AHEAD {
        taken.push(clusters.next().now_or_never().flatten().unwrap());
    }
    assert!(clusters.next().now_or_never().is_none(), "none of them has begun");

    let mut waiting = Vec::new();
    for mut running in taken {
        let mut turn = Box::pin(queue.turn());
        assert!((&mut turn).now_or_never().is_none());
        running.begin();
        waiting.push((running, turn));
    }
    assert!(clusters.next().now_or_never().is_none(), "all of them wait for a turn");

    turns.pop();
    let (running, turn) = waiting.remove(0);
    drop(turn.await);

    let next = clusters.next().now_or_never().flatten();
    assert_eq!(next.map(|running| running.cluster().clone()), Some(key("c4")));
    drop(running);
}

#[tokio::test]
async fn one_that_ends_before_it_begins_makes_room() {
    let queue = queue();
    let mut clusters = std::pin::pin!(queue.clone().clusters());
    for number in 0..=AHEAD {
        queue.push(&key(&format!("c{number}")), Urgency::New);
    }
    let mut taken = Vec::new();
    for _ in 0..AHEAD {
        taken.push(clusters.next().await);
    }
    assert!(clusters.next().now_or_never().is_none());

    taken.pop();

    let next = clusters.next().now_or_never().flatten();
    assert_eq!(next.map(|running| running.cluster().clone()), Some(key("c4")));
}

#[tokio::test]
async fn what_comes_back_by_itself_waits_for_its_time_and_then_behind_all_others() {
    let queue = queue();
    let mut clusters = std::pin::pin!(queue.clone().clusters());
    assert!(clusters.next().now_or_never().is_none());
    queue.push_after(&key("hall"), Duration::from_hours(1));
    assert!(clusters.next().now_or_never().is_none());

    queue.push_after(&key("lobby"), Duration::from_millis(20));
    let lobby = clusters.next().await.unwrap();
    assert_eq!(lobby.cluster(), &key("lobby"));

    drop(lobby);
    queue.push_after(&key("lobby"), Duration::ZERO);
    queue.push(&key("soon"), Urgency::Soon);
    assert_eq!(order(&queue), ["soon", "lobby"]);
}

#[test]
fn only_the_last_time_counts_and_none_once_it_is_taken() {
    let queue = queue();
    queue.push_after(&key("lobby"), Duration::ZERO);
    queue.push_after(&key("lobby"), Duration::from_hours(1));
    assert_eq!(order(&queue), [""; 0]);
    queue.push_after(&key("lobby"), Duration::ZERO);
    assert_eq!(order(&queue), ["lobby"]);

    queue.push_after(&key("lobby"), Duration::from_hours(1));
    queue.push(&key("lobby"), Urgency::Now);
    assert_eq!(order(&queue), ["lobby"]);

    assert_eq!(queue.lock().timers.next(), None);
}

#[test]
fn nothing_waits_where_nothing_is_reconciled() {
    let queue = Queue::new(Arc::default());

    queue.push(&key("lobby"), Urgency::Now);
    assert_eq!((order(&queue), depth(&queue)), (Vec::new(), "0".to_owned()));

    queue.open();
    queue.push(&key("lobby"), Urgency::Now);
    assert_eq!(order(&queue), ["lobby"]);
}
