//! `status`: the observed state of a cluster.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Condition;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::reason::Reason;

/// The observed state of a ChatCluster, written by the operator.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ChatClusterStatus {
    /// The `metadata.generation` of the spec that this status describes. While it is lower than the current
    /// generation, the operator has not processed the latest change yet.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,

    /// The address that clients connect to, as `HOST` or, if the port is not 80, `HOST:PORT`; for example
    /// `203.0.113.10` or `chat.example.com:8080`. With `service.type: NodePort` it is `<node>:PORT`, where
    /// `<node>` stands for the address of any node; with `ClusterIP` it is the Service's name inside the
    /// Kubernetes cluster. Unset until the Service has an address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,

    /// The hubs, as last observed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hub: Option<HubStatus>,

    /// The changes that the operator holds back, because `spec.paused` is true or because it was started with
    /// `--hold`. Empty otherwise, because changes are then made at once.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["child"]))]
    pub pending: Vec<Pending>,

    /// The conditions Ready (the summary of all others), PasswordCurrent, BackplaneReady, HubReady, Verified
    /// and Published. If a condition is False, its message says what is wrong and how to fix it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"]))]
    pub conditions: Vec<Condition>,
}

impl ChatClusterStatus {
    /// Returns the condition of this type, or `None` if the status does not have it yet.
    pub fn condition(&self, type_: ConditionType) -> Option<&Condition> {
        self.conditions.iter().find(|condition| condition.type_ == type_.as_str())
    }

    /// Returns true if the condition of this type is True.
    pub fn holds(&self, type_: ConditionType) -> bool {
        self.condition(type_).is_some_and(|condition| condition.status == "True")
    }

    /// Returns true if the public Service exists, with or without an address.
    pub fn is_published(&self) -> bool {
        let reasons = [Reason::Published.as_str(), Reason::AddressPending.as_str()];
        self.condition(ConditionType::Published).is_some_and(|published| reasons.contains(&published.reason))
    }

    /// Returns true if the cluster is verified, or was verified before: its public Service then exists.
    pub fn was_verified(&self) -> bool {
        self.holds(ConditionType::Verified) || self.is_published()
    }
}

/// The hubs, as last observed.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubStatus {
    /// The number of hub pods that exist, ready or not.
    pub replicas: i32,

    /// The number of hub pods that are ready.
    pub ready_replicas: i32,

    /// The label selector of the hub pods, which autoscalers read through the scale subresource.
    pub selector: String,

    /// The number of ready hubs and the number of desired hubs, for example `2/2`.
    pub summary: String,
}

/// A change that the operator holds back.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Pending {
    /// The kind and name of the object that would be changed, for example `Deployment/lobby-hub`.
    pub child: String,

    /// The action that would be taken: `Create`, `Update`, `Delete`, or `Recreate` (the object is deleted
    /// without its pods, and created again around them).
    pub action: PendingAction,

    /// The fields that would get another value, for example `spec.template.spec.containers[hub].image`. At
    /// most 20 are listed, and none that would only be removed.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(extend("x-kubernetes-list-type" = "atomic"))]
    pub fields: Vec<String>,

    /// The pods that would be restarted: `hub` or `redis`. Unset if the change restarts no pods.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub restarts: Option<Restarts>,
}

/// The action that would be taken on a child object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum PendingAction {
    Create,
    Update,
    Recreate,
    Delete,
}

/// The pods that a change would restart.
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
    /// The summary. True while the cluster serves clients as its spec says.
    Ready,
    /// True while Redis answers and accepts the password.
    BackplaneReady,
    /// True while the desired number of hubs is ready, all with the current pod template.
    HubReady,
    /// True while every ready hub is verified, as `hub.verify` defines it.
    Verified,
    /// True while the public Service exists and has an address.
    Published,
    /// True while Redis uses the password that the spec names.
    PasswordCurrent,
}

impl ConditionType {
    /// Returns the text of `status.conditions[].type`.
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
