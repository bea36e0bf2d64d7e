use super::*;

fn two_hubs() -> (Arc<ClientResults>, Arc<ClientResults>, PeerActions) {
    let (asks, _) = ClientResults::new("a", Duration::from_millis(20));
    let (answers, replies) = ClientResults::new("b", Duration::from_mins(10));
    (Arc::new(asks), Arc::new(answers), replies)
}

fn forward(replies: &mut PeerActions, to: &ClientResults) {
    while let Ok(PeerAction::SendReply(instance, payload)) = replies.try_recv() {
        assert_eq!(*instance, *to.instance);
        to.resolve(PeerReply::read(&payload).unwrap());
    }
}

#[tokio::test]
async fn a_result_returns_to_the_requesting_hub() {
    let (asks, answers, mut replies) = two_hubs();
    for (completion, expected) in [
        (Ok(Some(r#"{"a":1}"#)), Ok(r#"{"a":1}"#)),
        (Ok(None), Ok("null")),
        (Err("no"), Err(CallError::ClientError("no".into()))),
        (Ok(Some(r#""\ud800""#)), Err(CallError::InvalidResult)),
    ] {
        let pending = asks.register(1).unwrap();
        assert!(answers.assign(&pending.id(), 7));

        assert!(!answers.complete(8, &pending.id(), completion), "it was not asked");
        assert!(answers.complete(7, &pending.id(), completion));
        assert!(!answers.complete(7, &pending.id(), completion), "once is enough");

        forward(&mut replies, &asks);
        let result = pending.result("c").await;
        assert_eq!(result.as_ref().map(|value| value.get()).map_err(Clone::clone), expected);
    }
    assert!(asks.lock().pending.is_empty() && answers.lock().unanswered.is_empty());
}

#[tokio::test]
async fn a_client_that_leaves_or_does_not_answer_is_not_waited_for() {
    let (asks, answers, mut replies) = two_hubs();
    let (left, silent) = (asks.register(1).unwrap(), asks.register(1).unwrap());
    answers.assign(&left.id(), 7);
    answers.assign(&silent.id(), 8);
    answers.disconnected(7);
    forward(&mut replies, &asks);

    assert_eq!(left.result("c").await.unwrap_err(), CallError::Left);
    let id = silent.id();
    assert_eq!(silent.result("c").await.unwrap_err(), CallError::NoAnswer(0));
    answers.complete(8, &id, Ok(None));
    forward(&mut replies, &asks);
    assert!(asks.lock().pending.is_empty() && answers.lock().unanswered.is_empty());
}

#[tokio::test]
async fn requests_to_the_clients_of_a_hub_that_is_gone_fail() {
    let (asks, answers, mut replies) = two_hubs();
    let (at_b, not_found) = (asks.register(1).unwrap(), asks.register(1).unwrap());
    answers.assign(&at_b.id(), 7);
    forward(&mut replies, &asks);

    asks.hub_gone("c");
    asks.hub_gone("b");
    asks.resolve(PeerReply {
        request_id: not_found.id().into(),
        instance: None,
        outcome: ReplyOutcome::Disconnected,
    });

    assert_eq!(at_b.result("c").await.unwrap_err(), CallError::HubGone);
    assert_eq!(not_found.result("c").await.unwrap_err(), CallError::Left, "b did not have it");
}

#[tokio::test]
async fn a_hub_without_heartbeats_is_gone_after_a_while() {
    let (asks, answers, mut replies) = two_hubs();
    let (peers, now) = (HashSet::from(["a".to_owned()]), Instant::now());
    let pending = asks.register(1).unwrap();
    answers.assign(&pending.id(), 7);
    forward(&mut replies, &asks);

    asks.retain_hubs(&HashSet::from(["b".to_owned()]), now + 2 * peers::STALE);
    asks.retain_hubs(&peers, now);
    assert_eq!(pending.outcomes.len(), 1, "it was asked, and no more");
    asks.retain_hubs(&peers, now + 2 * peers::STALE);

    assert_eq!(pending.result("c").await.unwrap_err(), CallError::HubGone);
}

#[tokio::test]
async fn a_client_that_is_handed_over_answers_from_its_new_hub_though_the_first_one_is_gone() {
    let (asks, answers, mut replies) = two_hubs();
    let (third, mut thirds_replies) = ClientResults::new("c", Duration::from_mins(10));
    let pending = asks.register(1).unwrap();
    let id = pending.id();
    answers.assign(&id, 7);
    forward(&mut replies, &asks);

    let unanswered = answers.take_unanswered(7);
    forward(&mut replies, &asks);
    asks.hub_gone("b");
    third.restore_unanswered(9, unanswered);
    forward(&mut thirds_replies, &asks);
    assert!(third.complete(9, &id, Ok(Some("1"))));
    forward(&mut thirds_replies, &asks);

    assert_eq!(pending.result("c").await.unwrap().get(), "1");
}

#[test]
fn pending_and_unanswered_invocations_are_bounded() {
    let (asks, answers, _replies) = two_hubs();

    let mut pending: Vec<_> = (0..MOST_PENDING).map(|_| asks.register(1).unwrap()).collect();
    assert_eq!(asks.register(1).unwrap_err(), CallError::TooManyPending(MOST_PENDING));
    assert!(asks.register(2).is_ok());
    pending.pop();
    assert!(asks.register(1).is_ok());

    assert!((0..MOST_UNANSWERED).all(|n| answers.assign(&format!("a-1-{n}"), 7)));
    assert!(!answers.assign("a-1-x", 7));
    assert!(answers.assign("a-1-x", 8));
}
