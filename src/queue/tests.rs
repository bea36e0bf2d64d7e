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

/// Takes one, and reconciles it.
fn reconcile_one(queue: &Queue) -> Option<String> {
    let cluster = queue.take()?;
    assert!(queue.begin(&cluster).is_some());
    Some(cluster.1)
}

fn order(queue: &Queue) -> Vec<String> {
    std::iter::from_fn(|| reconcile_one(queue)).collect()
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
    let lobby = queue.take().unwrap();
    let running = queue.begin(&lobby);
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
    for number in 0..=AHEAD {
        queue.push(&key(&format!("c{number}")), Urgency::New);
    }
    for _ in 0..AHEAD {
        assert!(clusters.next().now_or_never().is_some());
    }
    assert!(clusters.next().now_or_never().is_none());

    // It begins, but has to wait for a turn.
    let mut turns = Vec::new();
    for _ in 0..TURNS {
        turns.push(queue.turn().await);
    }
    let running = queue.begin(&key("c0"));
    let mut turn = Box::pin(queue.turn());
    assert!((&mut turn).now_or_never().is_none());
    assert!(clusters.next().now_or_never().is_none());

    turns.pop();
    drop(turn.await);
    assert_eq!(clusters.next().now_or_never().flatten(), Some(ObjectRef::new("c4").within("team")));
    drop(running);
}

#[tokio::test]
async fn one_that_is_gone_before_it_begins_makes_room() {
    let queue = queue();
    let mut clusters = std::pin::pin!(queue.clone().clusters());
    for number in 0..=AHEAD {
        queue.push(&key(&format!("c{number}")), Urgency::New);
    }
    for _ in 0..AHEAD {
        clusters.next().await;
    }

    queue.gone(&key("c1"));

    assert_eq!(clusters.next().now_or_never().flatten(), Some(ObjectRef::new("c4").within("team")));
}

#[test]
fn what_comes_back_by_itself_gets_in_line_behind_new_ones() {
    let queue = queue();
    assert!(queue.begin(&key("lobby")).is_some(), "nobody waits");

    queue.push(&key("new"), Urgency::New);
    assert!(!*queue.calm().borrow());
    assert!(queue.begin(&key("lobby")).is_none());

    assert_eq!(order(&queue), ["new", "lobby"]);
    assert!(*queue.calm().borrow());
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
