//! The status of one `ChatCluster` as a plain value, which `-o json` prints as it is.

use chatcluster_api::ConditionType;
use chatcluster_api::names::redis_auth;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::children::{Child, children};
use super::summary::Summary;
use crate::model::{Chat, Pending, condition};
use crate::operator::OperatorView;
use crate::output::SHAPE;
use crate::read::Snapshot;

/// The number of events that are shown.
const EVENTS: usize = 8;

/// The status of one cluster.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct View {
    pub(crate) api_version: &'static str,
    pub(crate) kind: &'static str,
    pub(crate) name: String,
    pub(crate) namespace: String,
    pub(crate) created: Option<Timestamp>,
    #[serde(flatten)]
    pub(crate) summary: Summary,
    pub(crate) paused: bool,
    /// Whether the status is about the present generation of the spec
    pub(crate) up_to_date: bool,
    pub(crate) url: Option<String>,
    pub(crate) password: PasswordView,
    pub(crate) operator: Option<OperatorView>,
    pub(crate) conditions: Vec<ConditionView>,
    pub(crate) children: Vec<Child>,
    pub(crate) pending: Vec<Pending>,
    /// The latest events, oldest first
    pub(crate) events: Vec<EventView>,
    /// A sentence for each kind that could not be read
    pub(crate) notes: Vec<String>,
}

/// The password's origin and state; never the password itself.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordView {
    /// Whether the operator generated it; otherwise it is the user's
    pub(crate) generated: bool,
    /// The Secret that contains it
    pub(crate) secret: String,
    pub(crate) reason: Option<String>,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ConditionView {
    #[serde(rename = "type")]
    pub(crate) type_: String,
    pub(crate) holds: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) since: Timestamp,
}

#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct EventView {
    pub(crate) at: Option<Timestamp>,
    pub(crate) warning: bool,
    pub(crate) reason: String,
    pub(crate) message: String,
    pub(crate) times: i32,
}

pub(crate) fn of(snapshot: &Snapshot) -> View {
    let chat = &snapshot.chat;
    let status = chat.status.clone().unwrap_or_default();
    let name = chat.name_any();
    View {
        api_version: SHAPE,
        kind: "ChatClusterStatus",
        namespace: chat.namespace().unwrap_or_default(),
        created: chat.metadata.creation_timestamp.as_ref().map(|time| time.0),
        summary: Summary::of(chat),
        paused: chat.spec.paused,
        up_to_date: status.observed_generation == chat.metadata.generation,
        url: status
            .address
            .as_ref()
            .filter(|address| !address.starts_with('<'))
            .map(|a| format!("http://{a}/")),
        password: password(chat, &name),
        operator: snapshot.operator.as_ref().map(OperatorView::of),
        conditions: conditions(chat),
        children: children(snapshot),
        pending: status.pending,
        events: events(&snapshot.events),
        notes: snapshot.notes.clone(),
        name,
    }
}

fn password(chat: &Chat, name: &str) -> PasswordView {
    let own = chat.spec.redis.auth.existing_secret.as_ref();
    PasswordView {
        generated: own.is_none(),
        secret: own.map_or_else(|| redis_auth(name), |secret| secret.name.clone()),
        reason: condition(chat, ConditionType::PasswordCurrent).map(|c| c.reason.clone()),
    }
}

/// All conditions except Ready, which is the summary.
fn conditions(chat: &Chat) -> Vec<ConditionView> {
    let all = chat.status.iter().flat_map(|status| &status.conditions);
    all.filter(|c| c.type_ != ConditionType::Ready.as_str())
        .map(|c| ConditionView {
            type_: c.type_.clone(),
            holds: c.status == "True",
            reason: c.reason.clone(),
            message: c.message.clone(),
            since: c.last_transition_time.0,
        })
        .collect()
}

fn events(events: &[Event]) -> Vec<EventView> {
    let mut views: Vec<EventView> = events.iter().map(event).collect();
    views.sort_by_key(|event| event.at);
    views.split_off(views.len().saturating_sub(EVENTS))
}

fn event(event: &Event) -> EventView {
    let series = event.series.as_ref();
    let at = series
        .and_then(|series| series.last_observed_time.as_ref())
        .map(|time| time.0)
        .or_else(|| event.last_timestamp.as_ref().map(|time| time.0))
        .or_else(|| event.event_time.as_ref().map(|time| time.0))
        .or_else(|| event.metadata.creation_timestamp.as_ref().map(|time| time.0));
    EventView {
        at,
        warning: event.type_.as_deref() == Some("Warning"),
        reason: event.reason.clone().unwrap_or_default(),
        message: event.message.clone().unwrap_or_default(),
        times: series.and_then(|series| series.count).or(event.count).unwrap_or(1).max(1),
    }
}
