//! `status`: what the operator has seen.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// What the operator has seen of a ChatCluster.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatClusterStatus {
    /// The generation of the spec that this status speaks of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// Where clients connect: the host, and the port unless it is 80. Empty until the Service has an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// The hubs as seen last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubStatus>,

    /// What the operator would do now, were the cluster not paused (or the operator started with --hold). Empty while it
    /// is at work: then it has done it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["child"]))]
    pub pending: Vec<Pending>,

    /// Ready (the summary), BackplaneReady, HubReady, Verified, Published and PasswordCurrent.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl ChatClusterStatus {
    /// The condition of that type.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_.as_str())
    }

    /// Whether the condition of that type is true.
    pub fn holds(&self, type_: ConditionType) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == "True")
    }

    /// Whether the public Service is there.
    pub fn is_published(&self) -> bool {
        let reasons = [Reason::Published.as_str(), Reason::AddressPending.as_str()];
        self.condition(ConditionType::Published).is_some_and(|published| reasons.contains(&published.reason))
    }

    /// Whether the cluster has been verified, now or before.
    pub fn was_verified(&self) -> bool {
        self.holds(ConditionType::Verified) || self.is_published()
    }
}

/// The hubs as seen last.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubStatus {
    /// How many hub pods exist.
    pub replicas: i32,

    /// How many of them are ready.
    pub ready_replicas: i32,

    /// The label selector of the hub pods, for autoscalers.
    pub selector: String,

    /// Ready hubs of desired hubs, such as `2/2`.
    pub summary: String,
}

/// A change that is held back.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The object, such as `Deployment/lobby-hub`.
    pub child: String,

    /// What would be done to it: `Create`, `Update`, `Recreate` (delete and make anew around its pods) or `Delete`.
    pub action: PendingAction,

    /// The fields that would get another value, such as `spec.template.spec.containers[hub].image`; the first 20 of
    /// them. Fields that would only be removed are not among them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub fields: Vec<String>,

    /// Whose pods would restart, `hub` or `redis`; none if it is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
}

/// What would be done to a child.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum PendingAction {
    Create,
    Update,
    Recreate,
    Delete,
}

/// Whose pods would restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum Restarts {
    Hub,
    Redis,
}

/// The types of a ChatCluster's conditions.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConditionType {
    /// The summary: the cluster serves clients as its spec says.
    Ready,
    /// Redis is up and takes the password.
    BackplaneReady,
    /// As many hubs as desired are ready, all of the current template.
    HubReady,
    /// Every ready hub has been seen on the backplane.
    Verified,
    /// The public Service exists and has an address.
    Published,
    /// The password that is in force is the one that the spec names.
    PasswordCurrent,
}

impl ConditionType {
    /// As it stands in `status.conditions[].type`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ready => "Ready",
            Self::BackplaneReady => "BackplaneReady",
            Self::HubReady => "HubReady",
            Self::Verified => "Verified",
            Self::Published => "Published",
            Self::PasswordCurrent => "PasswordCurrent",
        }
    }
}
