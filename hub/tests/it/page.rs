//! The page in a real browser: scenes of `tests/page`, each on a stage of its own.
//!
//! Needs Chromium, besides what the other tests need. With `PICTURES=FOLDER` the scenes leave pictures there.

use crate::support::Stage;

/// Plays a scene on two hubs of one Redis.
async fn play(scene: &str) {
    Stage::set(&[]).await.play(scene).await;
}

#[tokio::test]
async fn two_people_on_two_hubs_talk_and_see_each_other() {
    play("twoPeopleOnTwoHubsTalkAndSeeEachOther").await;
}

#[tokio::test]
async fn who_writes_is_shown_until_the_message_comes() {
    play("whoWritesIsShownUntilTheMessageComes").await;
}

#[tokio::test]
async fn who_reads_older_messages_is_left_there() {
    play("whoReadsOlderMessagesIsLeftThere").await;
}

#[tokio::test]
async fn text_is_shown_as_text() {
    play("textIsShownAsText").await;
}

#[tokio::test]
async fn a_text_that_is_too_long_is_said_before_it_is_sent() {
    play("aTextThatIsTooLongIsSaidBeforeItIsSent").await;
}

#[tokio::test]
async fn a_link_brings_others_to_the_room_and_what_was_said_there() {
    play("aLinkBringsOthersToTheRoomAndWhatWasSaidThere").await;
}

#[tokio::test]
async fn a_reload_forgets_nothing() {
    play("aReloadForgetsNothing").await;
}

#[tokio::test]
async fn another_hub_takes_over_when_one_is_killed() {
    play("anotherHubTakesOverWhenOneIsKilled").await;
}

#[tokio::test]
async fn what_was_missed_and_written_meanwhile_is_filled_in() {
    play("whatWasMissedAndWrittenMeanwhileIsFilledIn").await;
}

#[tokio::test]
async fn what_is_lost_for_good_is_a_line_in_the_log() {
    let stage = Stage::set(&["--history-messages", "5"]).await;
    stage.play("whatIsLostForGoodIsALineInTheLog").await;
}

#[tokio::test]
async fn a_message_that_is_not_stored_says_so_and_can_be_sent_again() {
    play("aMessageThatIsNotStoredSaysSoAndCanBeSentAgain").await;
}

#[tokio::test]
async fn a_redis_that_lost_what_was_said_is_a_line_in_the_log() {
    play("aRedisThatLostWhatWasSaidIsALineInTheLog").await;
}

#[tokio::test]
async fn all_can_be_done_by_keyboard() {
    play("allCanBeDoneByKeyboard").await;
}

#[tokio::test]
async fn a_phone_is_wide_enough() {
    play("aPhoneIsWideEnough").await;
}

#[tokio::test]
async fn all_states_obey_the_rules_of_accessibility_in_light() {
    play("allStatesObeyTheRulesInLight").await;
}

#[tokio::test]
async fn all_states_obey_the_rules_of_accessibility_in_dark() {
    play("allStatesObeyTheRulesInDark").await;
}

#[tokio::test]
async fn a_token_is_asked_for_and_kept_for_the_tab() {
    Stage::with_tokens().await.play("aTokenIsAskedForAndKeptForTheTab").await;
}

#[tokio::test]
async fn a_token_in_the_address_is_taken_from_there() {
    Stage::with_tokens().await.play("aTokenInTheAddressIsTakenFromThere").await;
}

#[tokio::test]
async fn a_room_that_the_token_does_not_allow_is_refused_at_the_door() {
    Stage::with_tokens().await.play("aRoomThatTheTokenDoesNotAllowIsRefusedAtTheDoor").await;
}
