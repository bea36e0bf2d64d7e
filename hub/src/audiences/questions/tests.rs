use super::*;

fn two_hubs() -> (Arc<Questions>, Arc<Questions>, Errands) {
    let (asks, _) = Questions::new("a", Duration::from_millis(20));
    let (answers, replies) = Questions::new("b", Duration::from_mins(10));
    (Arc::new(asks), Arc::new(answers), replies)
}

fn pass_on(replies: &mut Errands, to: &Questions) {
    while let Ok(Errand::Reply(instance, payload)) = replies.try_recv() {
        assert_eq!(*instance, *to.instance);
        to.hear(Reply::read(&payload).unwrap());
    }
}

#[tokio::test]
async fn an_answer_comes_back_to_who_asked() {
    let (asks, answers, mut replies) = two_hubs();
    for (said, expected) in [
        (Ok(Some(r#"{"a":1}"#)), Ok(r#"{"a":1}"#)),
        (Ok(None), Ok("null")),
        (Err("no"), Err(CallError::Theirs("no".into()))),
        (Ok(Some(r#""\ud800""#)), Err(CallError::NoValue)),
    ] {
        let question = asks.ask(1).unwrap();
        assert!(answers.put(&question.id(), 7));

        assert!(!answers.answer(8, &question.id(), said), "it was not asked");
        assert!(answers.answer(7, &question.id(), said));
        assert!(!answers.answer(7, &question.id(), said), "once is enough");

        pass_on(&mut replies, &asks);
        let heard = question.answered("c").await;
        assert_eq!(heard.as_ref().map(|value| value.get()).map_err(Clone::clone), expected);
    }
    assert!(asks.lock().awaited.is_empty() && answers.lock().owed.is_empty());
}

#[tokio::test]
async fn who_leaves_or_says_nothing_is_not_waited_for() {
    let (asks, answers, mut replies) = two_hubs();
    let (left, silent) = (asks.ask(1).unwrap(), asks.ask(1).unwrap());
    answers.put(&left.id(), 7);
    answers.put(&silent.id(), 8);
    answers.left(7);
    pass_on(&mut replies, &asks);

    assert_eq!(left.answered("c").await.unwrap_err(), CallError::Left);
    let id = silent.id();
    assert_eq!(silent.answered("c").await.unwrap_err(), CallError::NoAnswer(0));
    answers.answer(8, &id, Ok(None));
    pass_on(&mut replies, &asks);
    assert!(asks.lock().awaited.is_empty() && answers.lock().owed.is_empty());
}

#[tokio::test]
async fn a_hub_that_is_gone_answers_nothing_that_its_clients_were_asked() {
    let (asks, answers, mut replies) = two_hubs();
    let (at_b, not_found) = (asks.ask(1).unwrap(), asks.ask(1).unwrap());
    answers.put(&at_b.id(), 7);
    pass_on(&mut replies, &asks);

    asks.hub_gone("c");
    asks.hub_gone("b");
    asks.hear(Reply { of: not_found.id().into(), by: None, fate: Fate::Left });

    assert_eq!(at_b.answered("c").await.unwrap_err(), CallError::HubGone);
    assert_eq!(not_found.answered("c").await.unwrap_err(), CallError::Left, "b did not have it");
}

#[tokio::test]
async fn a_hub_that_was_never_heard_of_is_gone_after_a_while() {
    let (asks, answers, mut replies) = two_hubs();
    let (peers, now) = (HashSet::from(["a".to_owned()]), Instant::now());
    let question = asks.ask(1).unwrap();
    answers.put(&question.id(), 7);
    pass_on(&mut replies, &asks);

    asks.all_gone_but(&HashSet::from(["b".to_owned()]), now + 2 * canary::STALE);
    asks.all_gone_but(&peers, now);
    assert_eq!(question.fates.len(), 1, "it was asked, and no more");
    asks.all_gone_but(&peers, now + 2 * canary::STALE);

    assert_eq!(question.answered("c").await.unwrap_err(), CallError::HubGone);
}

#[tokio::test]
async fn a_client_that_goes_on_at_another_hub_answers_from_there_though_its_first_hub_is_gone() {
    let (asks, answers, mut replies) = two_hubs();
    let (third, mut thirds_replies) = Questions::new("c", Duration::from_mins(10));
    let question = asks.ask(1).unwrap();
    let id = question.id();
    answers.put(&id, 7);
    pass_on(&mut replies, &asks);

    let owed = answers.take_owed(7);
    pass_on(&mut replies, &asks);
    asks.hub_gone("b");
    third.set_owed(9, owed);
    pass_on(&mut thirds_replies, &asks);
    assert!(third.answer(9, &id, Ok(Some("1"))));
    pass_on(&mut thirds_replies, &asks);

    assert_eq!(question.answered("c").await.unwrap().get(), "1");
}

#[test]
fn nobody_asks_or_owes_without_bound() {
    let (asks, answers, _replies) = two_hubs();

    let mut questions: Vec<_> = (0..MOST_AWAITED).map(|_| asks.ask(1).unwrap()).collect();
    assert_eq!(asks.ask(1).unwrap_err(), CallError::TooManyQuestions(MOST_AWAITED));
    assert!(asks.ask(2).is_ok());
    questions.pop();
    assert!(asks.ask(1).is_ok());

    assert!((0..MOST_OWED).all(|n| answers.put(&format!("a-1-{n}"), 7)));
    assert!(!answers.put("a-1-x", 7));
    assert!(answers.put("a-1-x", 8));
}
