//! A `ChatCluster` as far as the plugin needs it. It is plainer than the operator's type on purpose: the
//! plugin meets operators of other versions, and an unknown field or value must not keep it from showing the
//! rest.

use chatcluster_api::names::{RESTART_HUB, RESTART_REDIS};
use chatcluster_api::{ChatCluster, ConditionType, Reason};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use kube::ResourceExt;
use kube::core::{ApiResource, Object};
use serde::{Deserialize, Serialize};

/// A `ChatCluster` that an operator of any version wrote.
pub(crate) type Chat = Object<Spec, Status>;

/// The API resource of the kind.
pub(crate) fn resource() -> ApiResource {
    ApiResource::erase::<ChatCluster>(&())
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Spec {
    pub(crate) paused: bool,
    pub(crate) hub: Hub,
    pub(crate) redis: Redis,
    pub(crate) service: Service,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Hub {
    pub(crate) port: u16,
    pub(crate) verify: String,
}

impl Default for Hub {
    fn default() -> Self {
        Self { port: 8080, verify: "Backplane".to_owned() }
    }
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Redis {
    pub(crate) auth: Auth,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Auth {
    pub(crate) existing_secret: Option<SecretRef>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct SecretRef {
    pub(crate) name: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Service {
    #[serde(rename = "type")]
    pub(crate) type_: String,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Status {
    pub(crate) observed_generation: Option<i64>,
    pub(crate) address: Option<String>,
    pub(crate) hub: HubStatus,
    pub(crate) conditions: Vec<Condition>,
    pub(crate) pending: Vec<Pending>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct HubStatus {
    pub(crate) summary: String,
}

/// A write that the operator holds back.
#[derive(Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub(crate) struct Pending {
    /// Kind and name, such as `Deployment/lobby-hub`
    pub(crate) child: String,
    /// `Create`, `Update`, `Recreate` or `Delete`
    pub(crate) action: String,
    /// Paths of the fields that would change
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) fields: Vec<String>,
    /// The part whose pods would restart: `hub` or `redis`
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) restarts: Option<String>,
}

/// The condition of that type, if it was judged for the present generation of the spec.
pub(crate) fn current(chat: &Chat, type_: ConditionType) -> Option<&Condition> {
    let condition = condition(chat, type_)?;
    (condition.observed_generation == chat.metadata.generation).then_some(condition)
}

/// The condition of that type, for whichever generation it was judged.
pub(crate) fn condition(chat: &Chat, type_: ConditionType) -> Option<&Condition> {
    chat.status.as_ref()?.conditions.iter().find(|c| c.type_ == type_.as_str())
}

/// A part of a cluster whose pods restart together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Part {
    Hub,
    Redis,
}

impl Part {
    /// The annotation of the `ChatCluster` whose change restarts the part.
    pub(crate) fn annotation(self) -> &'static str {
        match self {
            Self::Hub => RESTART_HUB,
            Self::Redis => RESTART_REDIS,
        }
    }
}

/// The reason why the operator holds its changes back, and what to do first; `None` if it does not.
pub(crate) fn held(chat: &Chat) -> Option<String> {
    let name = chat.name_any();
    let reason = condition(chat, ConditionType::Ready).map(|ready| ready.reason.as_str());
    if chat.spec.paused {
        Some(format!("{name} is paused: kubectl chat resume {name} first"))
    } else if reason == Some(&Reason::Held.as_str()) {
        Some("the operator holds all changes back: helm upgrade … --set hold=false first".to_owned())
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chatcluster_api::ChatClusterSpec;

    #[test]
    fn what_the_operator_writes_is_what_is_read_here() {
        let mut spec = ChatClusterSpec { paused: true, ..ChatClusterSpec::default() };
        spec.hub.port = 9000;
        let written = serde_json::to_value(ChatCluster::new("lobby", spec)).unwrap();

        let read: Chat = serde_json::from_value(written).unwrap();

        assert!(read.spec.paused);
        assert_eq!(read.spec.hub.port, 9000);
        assert_eq!(read.spec.hub.verify, "Backplane");
        assert_eq!(read.spec.service.type_, "LoadBalancer");
        assert!(read.spec.redis.auth.existing_secret.is_none());
    }

    #[test]
    fn what_a_later_operator_may_write_does_no_harm() {
        let later = serde_json::json!({"apiVersion": "chatcluster.dev/v1alpha1", "kind": "ChatCluster",
            "metadata": {"name": "lobby"}, "spec": {"hub": {"verify": "Canary"}, "novel": 1},
            "status": {"pending": [{"child": "Deployment/lobby-hub", "action": "Explode", "since": "ever"}]}});

        let read: Chat = serde_json::from_value(later).unwrap();

        assert_eq!(read.spec.hub.verify, "Canary");
        assert_eq!(read.status.unwrap().pending[0].action, "Explode");
    }
}
