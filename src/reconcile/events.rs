//! The content of Kubernetes events about a `ChatCluster`. [`crate::reconcile::publisher`] writes them.

use k8s_openapi::api::core::v1::ObjectReference;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;

use crate::reconcile::apply::{Applied, Outcome};
use chatcluster_api::{ChatClusterStatus, ConditionType, Reason};

/// The content of one event about a cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct EventContent {
    /// True for an event of type `Warning`: a person should look.
    pub warning: bool,
    /// The event's reason, in CamelCase.
    pub reason: String,
    /// The event's note, a sentence.
    pub note: String,
    /// The child that the event is about, if it is about one.
    pub related: Option<ObjectReference>,
}

/// The state of a child before the latest write, as far as it is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PriorState {
    /// The child existed: this process has seen it. If it is missing, someone else deleted it.
    Existed,
    /// The child had been created, as the status says, before this process started. If it is missing, it was
    /// deleted while no operator ran, or an earlier version of the operator did not create it.
    CreatedByFormerProcess,
    /// The child had never been created.
    NeverCreated,
}

/// Returns the events about writes to children, given the prior state of each child: one event for the first
/// creation of a cluster, one for each repair, and none for a change that the spec asked for.
pub fn about_writes(applied: &[Applied], prior_states: &[PriorState]) -> Vec<EventContent> {
    let mut events = Vec::new();
    let mut created = Vec::new();
    for (Applied { child, outcome }, prior) in applied.iter().zip(prior_states) {
        let name = format!(
            "{} {}",
            child.kind.as_deref().unwrap_or("object"),
            child.name.as_deref().unwrap_or_default()
        );
        match outcome {
            Outcome::Repaired(difference) => events.push(normal(
                child,
                "Repaired",
                format!("{name} was changed by someone else at {difference}: it is as the spec says again"),
            )),
            Outcome::Created => match prior {
                PriorState::Existed => {
                    let note = format!("{name} was deleted by someone else: it is back");
                    events.push(normal(child, "Repaired", note));
                }
                PriorState::CreatedByFormerProcess => {
                    let note = format!("{name} was missing: it is there now");
                    events.push(normal(child, "Repaired", note));
                }
                PriorState::NeverCreated => created.push(name),
            },
            Outcome::Recreating(difference) => events.push(normal(
                child,
                "Recreating",
                format!(
                    "{name} is recreated around its running pod, because Kubernetes does not allow {difference} to change"
                ),
            )),
            Outcome::Grown { from, to } => events.push(normal(
                child,
                "Growing",
                format!("{name} now requests {to} instead of {from}: its volume grows"),
            )),
            Outcome::Unchanged
            | Outcome::Absent
            | Outcome::Updated
            | Outcome::Removed
            | Outcome::Terminating => {}
        }
    }
    if created.len() > 1 {
        events.push(EventContent {
            warning: false,
            reason: "Created".to_owned(),
            note: format!("created {}", created.join(", ")),
            related: None,
        });
    }
    events
}

/// True if someone else had changed or deleted the child.
pub fn is_drift(outcome: &Outcome, prior: PriorState) -> bool {
    match outcome {
        Outcome::Repaired(_) => true,
        Outcome::Created => prior != PriorState::NeverCreated,
        Outcome::Unchanged
        | Outcome::Absent
        | Outcome::Updated
        | Outcome::Recreating(_)
        | Outcome::Grown { .. }
        | Outcome::Removed
        | Outcome::Terminating => false,
    }
}

/// Returns an event of type `Normal` about one child.
fn normal(child: &ObjectReference, reason: &str, note: String) -> EventContent {
    // The child's resource version changes with every write, and would make every event a different one.
    let related = ObjectReference { resource_version: None, ..child.clone() };
    EventContent { warning: false, reason: reason.to_owned(), note, related: Some(related) }
}

/// Returns the events about conditions: a condition that users wait for has become true, or one has a problem
/// that it had not before.
pub fn about_conditions(before: &ChatClusterStatus, after: &ChatClusterStatus) -> Vec<EventContent> {
    let news = |condition: &&Condition| {
        !before.conditions.iter().any(|old| old.type_ == condition.type_ && old.reason == condition.reason)
    };
    let mut events: Vec<EventContent> = Vec::new();
    for condition in after.conditions.iter().filter(news) {
        let waited_for = condition.status == "True"
            && [ConditionType::Verified, ConditionType::Published]
                .iter()
                .any(|t| t.as_str() == condition.type_);
        let problem = Reason::ALL.iter().any(|r| r.is_problem() && r.as_str() == condition.reason);
        // `Ready`, the summary, repeats the reason of the condition that it sums up.
        if (waited_for || problem) && !events.iter().any(|event| event.reason == condition.reason) {
            events.push(EventContent {
                warning: problem,
                reason: condition.reason.clone(),
                note: condition.message.clone(),
                related: None,
            });
        }
    }
    // One event for both: a reader of "clients can connect" need not read that hubs are verified.
    let of = |type_: ConditionType| events.iter().position(|event| event.reason == type_.as_str());
    if let (Some(verified), Some(published)) = (of(ConditionType::Verified), of(ConditionType::Published)) {
        let verified = events[verified].note.clone();
        events[published].note = format!("{verified}; {}", events[published].note);
        events.retain(|event| event.reason != ConditionType::Verified.as_str());
    }
    let held = |status: &ChatClusterStatus| {
        let reason = status.condition(ConditionType::Ready).map(|ready| ready.reason.as_str())?;
        [Reason::Paused, Reason::Held].into_iter().find(|held| held.as_str() == reason)
    };
    if held(after) != held(before) {
        let (reason, note) = match held(after) {
            Some(Reason::Held) => ("Held", "the operator runs with --hold and changes nothing"),
            Some(_) => ("Paused", "the operator changes nothing until spec.paused is false"),
            None => ("Resumed", "the operator is at work again"),
        };
        events.push(EventContent {
            warning: false,
            reason: reason.to_owned(),
            note: note.to_owned(),
            related: None,
        });
    }
    events
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::objects::compare::Difference;
    use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
    use k8s_openapi::jiff::Timestamp;

    fn applied(name: &str, outcome: Outcome) -> Applied {
        let child = ObjectReference {
            kind: Some("Service".into()),
            name: Some(name.into()),
            ..ObjectReference::default()
        };
        Applied { child, outcome }
    }

    fn status(conditions: &[(&str, bool, &str)]) -> ChatClusterStatus {
        let condition = |(type_, holds, reason): &(&str, bool, &str)| Condition {
            type_: (*type_).to_owned(),
            status: if *holds { "True" } else { "False" }.to_owned(),
            reason: (*reason).to_owned(),
            message: format!("about {reason}"),
            last_transition_time: Time(Timestamp::UNIX_EPOCH),
            observed_generation: None,
        };
        ChatClusterStatus {
            conditions: conditions.iter().map(condition).collect(),
            ..ChatClusterStatus::default()
        }
    }

    fn reasons(events: &[EventContent]) -> Vec<&str> {
        events.iter().map(|event| event.reason.as_str()).collect()
    }

    #[test]
    fn the_making_of_a_cluster_is_one_event() {
        let made = [applied("a", Outcome::Created), applied("b", Outcome::Created)];

        let events = about_writes(&made, &[PriorState::NeverCreated; 2]);

        assert_eq!(reasons(&events), ["Created"]);
        assert_eq!(events[0].note, "created Service a, Service b");
    }

    #[test]
    fn each_repair_is_an_event_that_names_the_child_and_the_field() {
        let drift = Outcome::Repaired(Difference { path: "spec.type".to_owned() });

        let events =
            about_writes(&[applied("a", drift), applied("b", Outcome::Created)], &[PriorState::Existed; 2]);

        assert_eq!(reasons(&events), ["Repaired", "Repaired"]);
        assert!(events[0].note.starts_with("Service a was changed by someone else at spec.type"));
        assert!(events[1].note.starts_with("Service b was deleted"));
    }

    #[test]
    fn a_problem_is_said_once_though_the_summary_repeats_it() {
        let before = status(&[("Ready", false, "RedisStarting")]);
        let after = status(&[("Ready", false, "ImagePullFailed"), ("HubReady", false, "ImagePullFailed")]);

        let events = about_conditions(&before, &after);

        assert_eq!(reasons(&events), ["ImagePullFailed"]);
        assert!(events[0].warning);
        assert_eq!(about_conditions(&after, &after), []);
    }

    #[test]
    fn steps_on_the_way_are_not_events_and_arriving_is() {
        let before = status(&[("Verified", false, "WaitingForHubs"), ("HubReady", false, "RollingOut")]);
        let after = status(&[("Verified", true, "Verified"), ("HubReady", true, "Ready")]);

        assert_eq!(reasons(&about_conditions(&before, &after)), ["Verified"]);
    }

    #[test]
    fn verified_and_published_at_once_is_one_event() {
        let before = status(&[("Verified", false, "WaitingForHubs"), ("Published", false, "NotVerified")]);
        let after = status(&[("Verified", true, "Verified"), ("Published", true, "Published")]);

        let events = about_conditions(&before, &after);

        assert_eq!(reasons(&events), ["Published"]);
        assert!(events[0].note.contains("; "), "{}", events[0].note);
    }
}
