//! What is to be said of one `ChatCluster`, as a plain value: `-o json` shows it as it is.

use chatcluster_api::ConditionType;
use chatcluster_api::names::redis_auth;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Event;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde::Serialize;

use super::children::{Child, children};
use super::summary::Summary;
use crate::model::{Chat, Pending, condition};
use crate::read::Snapshot;

/// How many events are shown.
const EVENTS: usize = 8;

/// All there is to say.
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
    /// Whether the status speaks of the spec as it is now
    pub(crate) up_to_date: bool,
    pub(crate) url: Option<String>,
    pub(crate) password: PasswordView,
    pub(crate) operator: Option<OperatorView>,
    pub(crate) conditions: Vec<ConditionView>,
    pub(crate) children: Vec<Child>,
    pub(crate) pending: Vec<Pending>,
    /// The last ones, oldest first
    pub(crate) events: Vec<EventView>,
    /// What could not be read
    pub(crate) notes: Vec<String>,
}

/// Of the password: everything but itself.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PasswordView {
    /// Whether the operator made it up; otherwise it is the user's
    pub(crate) generated: bool,
    /// Where it is
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

/// The operator, as its Deployment says.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct OperatorView {
    pub(crate) namespace: String,
    pub(crate) version: String,
    pub(crate) ready_replicas: i32,
    pub(crate) replicas: i32,
    /// Whether it writes nothing but plans
    pub(crate) hold: bool,
}

pub(crate) fn of(snapshot: &Snapshot) -> View {
    let chat = &snapshot.chat;
    let status = chat.status.clone().unwrap_or_default();
    let name = chat.name_any();
    View {
        api_version: super::SHAPE,
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

/// All but the summary, which stands at the top.
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

impl OperatorView {
    pub(crate) fn of(deployment: &Deployment) -> Self {
        let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
        let container = pod.and_then(|pod| pod.containers.first());
        let image = container.and_then(|c| c.image.clone()).unwrap_or_default();
        let label = deployment.labels().get("app.kubernetes.io/version").cloned();
        let flag = |text: &str| text == "--hold" || text == "--hold=true";
        let args = container.map(|c| [c.command.clone(), c.args.clone()].into_iter().flatten().flatten());
        let env = container.and_then(|c| c.env.clone()).unwrap_or_default();
        Self {
            namespace: deployment.namespace().unwrap_or_default(),
            version: tag(&image).map(str::to_owned).or(label).unwrap_or_else(|| "unknown".to_owned()),
            ready_replicas: deployment.status.as_ref().and_then(|s| s.ready_replicas).unwrap_or(0),
            replicas: deployment.spec.as_ref().and_then(|s| s.replicas).unwrap_or(1),
            hold: env.iter().any(|e| e.name == "HOLD" && e.value.as_deref() == Some("true"))
                || args.into_iter().flatten().any(|text| flag(&text)),
        }
    }
}

/// The tag of an image's reference, if it has one and is not known by digest only.
fn tag(image: &str) -> Option<&str> {
    let named = image.split('@').next()?;
    let (_, last) = named.rsplit_once('/').unwrap_or(("", named));
    last.split_once(':').map(|(_, tag)| tag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_the_tag_not_the_registrys_port() {
        assert_eq!(tag("localhost:5000/team/operator:0.2.0"), Some("0.2.0"));
        assert_eq!(tag("localhost:5000/operator"), None);
        assert_eq!(tag("operator:0.2.0@sha256:abc"), Some("0.2.0"));
    }

    #[test]
    fn the_operator_holds_by_variable_or_by_flag() {
        let deployment = |container: serde_json::Value| -> Deployment {
            serde_json::from_value(serde_json::json!({"spec": {"selector": {}, "template": {"spec":
                {"containers": [container]}}}}))
            .unwrap()
        };
        let holds = |container| OperatorView::of(&deployment(container)).hold;

        assert!(holds(serde_json::json!({"name": "o", "env": [{"name": "HOLD", "value": "true"}]})));
        assert!(holds(serde_json::json!({"name": "o", "args": ["run", "--hold"]})));
        assert!(!holds(serde_json::json!({"name": "o", "env": [{"name": "HOLD", "value": "false"}]})));
    }
}
