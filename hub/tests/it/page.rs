//! The page in a real browser: scenes of `tests/page`, each with hubs, a Redis and a balancer of its own.
//!
//! These tests need Chromium, too. With `PICTURES=FOLDER` the scenes save screenshots there.

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
async fn a_writer_is_shown_until_the_message_comes() {
    play("aWriterIsShownUntilTheMessageComes").await;
}

#[tokio::test]
async fn a_reader_of_older_messages_is_not_scrolled_away() {
    play("aReaderOfOlderMessagesIsNotScrolledAway").await;
}

#[tokio::test]
async fn text_is_shown_as_text() {
    play("textIsShownAsText").await;
}

#[tokio::test]
async fn a_text_that_is_too_long_is_reported_before_it_is_sent() {
    play("aTextThatIsTooLongIsReportedBeforeItIsSent").await;
}

#[tokio::test]
async fn no_message_freezes_the_page() {
    play("noMessageFreezesThePage").await;
}

#[tokio::test]
async fn a_link_brings_others_to_the_room_and_its_history() {
    play("aLinkBringsOthersToTheRoomAndItsHistory").await;
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
async fn messages_missed_and_written_meanwhile_are_filled_in() {
    play("messagesMissedAndWrittenMeanwhileAreFilledIn").await;
}

#[tokio::test]
async fn messages_lost_for_good_are_a_line_in_the_log() {
    let stage = Stage::set(&["--history-messages", "5"]).await;
    stage.play("messagesLostForGoodAreALineInTheLog").await;
}

#[tokio::test]
async fn a_message_that_is_not_stored_says_so_and_can_be_sent_again() {
    play("aMessageThatIsNotStoredSaysSoAndCanBeSentAgain").await;
}

#[tokio::test]
async fn a_redis_that_lost_its_messages_is_a_line_in_the_log() {
    play("aRedisThatLostItsMessagesIsALineInTheLog").await;
}

#[tokio::test]
async fn everything_can_be_done_by_keyboard() {
    play("everythingCanBeDoneByKeyboard").await;
}

#[tokio::test]
async fn the_page_fits_a_phone() {
    play("thePageFitsAPhone").await;
}

#[tokio::test]
async fn all_states_obey_the_rules_of_accessibility_in_light_colours() {
    play("allStatesObeyTheRulesInLight").await;
}

#[tokio::test]
async fn all_states_obey_the_rules_of_accessibility_in_dark_colours() {
    play("allStatesObeyTheRulesInDark").await;
}

#[tokio::test]
async fn a_token_is_asked_for_and_kept_for_the_tab() {
    Stage::with_tokens().await.play("aTokenIsAskedForAndKeptForTheTab").await;
}

#[tokio::test]
async fn a_token_in_the_address_is_used_and_removed_from_there() {
    Stage::with_tokens().await.play("aTokenInTheAddressIsUsedAndRemovedFromThere").await;
}

#[tokio::test]
async fn a_room_that_the_token_does_not_allow_is_refused_at_the_door() {
    Stage::with_tokens().await.play("aRoomThatTheTokenDoesNotAllowIsRefusedAtTheDoor").await;
}
