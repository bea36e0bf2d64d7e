//! `spec.service`: the public address of the hubs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rule::rule;

/// The Service with the public address of the hubs.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = service_rules()))]
pub struct ServiceSpec {
    /// Decides how clients reach the hubs. `LoadBalancer`: at an address that a load balancer of the
    /// Kubernetes cluster gives. `NodePort`: at a port of every node, which Kubernetes chooses. `ClusterIP`:
    /// only from inside the Kubernetes cluster, for example through an Ingress of your own. Default:
    /// `LoadBalancer`.
    #[serde(rename = "type")]
    pub type_: ServiceType,

    /// The port of the Service that clients connect to. Range: 1 to 65535. Default: 80.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,

    /// Annotations of the Service, for example a cloud provider's settings for its load balancer. At most 64.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,

    /// The load balancer implementation to use (`loadBalancerClass` of the Service), for example
    /// `example.com/internal`. If unset, it is the Kubernetes cluster's default. Only for `type:
    /// LoadBalancer`; it cannot be changed while the Service has that type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,

    /// The networks that the load balancer accepts clients from, in CIDR notation, for example
    /// `203.0.113.0/24`. At most 64. If unset, it accepts clients from everywhere. Only for `type:
    /// LoadBalancer`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[schemars(extend("x-kubernetes-validations" = [ranges_are_networks()]))]
    pub load_balancer_source_ranges: Vec<String>,

    /// Decides which hubs a connection from outside may be sent to. `Cluster`: every hub. `Local`: only hubs
    /// on the node at which it arrives, which preserves the client's address. If unset, Kubernetes uses
    /// `Cluster`. Only for the types `LoadBalancer` and `NodePort`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,

    /// Decides which hub the further connections of a client go to. `None`: any hub. `ClientIP`: the same hub
    /// for up to three hours, by the client's address. The bundled hub needs no affinity. Socket.IO and
    /// ASP.NET Core SignalR need it unless their clients use only WebSockets, because several HTTP requests
    /// then belong to one session. Behind a load balancer that hides the clients' addresses, `ClientIP` also
    /// needs `externalTrafficPolicy: Local`. Default: `None`.
    pub session_affinity: SessionAffinity,

    /// Decides in how many IP families the Service has addresses. `SingleStack`: in one. `PreferDualStack`:
    /// in two if the Kubernetes cluster supports both IPv4 and IPv6, otherwise in one. `RequireDualStack`: in
    /// two; a Kubernetes cluster that supports only one refuses the Service. Default: `SingleStack`.
    pub ip_family_policy: IpFamilyPolicy,

    /// The IP families of the Service: `IPv4`, `IPv6` or both. The first one is the primary family and cannot
    /// be changed later. If unset, the Kubernetes cluster decides.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "atomic"))]
    #[schemars(extend("x-kubernetes-validations" = family_rules()))]
    pub ip_families: Vec<IpFamily>,

    /// Decides when the Service is created. `WhenVerified`: once the condition Verified is True for the first
    /// time; the Service stays if the condition becomes False later. `Immediately`: together with the other
    /// objects. Default: `WhenVerified`.
    pub publish: PublishMode,
}

fn service_rules() -> [Value; 4] {
    [
        rule(
            "!has(self.loadBalancerClass) || self.type == 'LoadBalancer'",
            "service.loadBalancerClass needs service.type LoadBalancer: change the type or remove the class",
        ),
        rule(
            "!has(self.loadBalancerSourceRanges) || self.type == 'LoadBalancer'",
            "service.loadBalancerSourceRanges needs service.type LoadBalancer: change the type or remove the \
             ranges",
        ),
        rule(
            "!has(self.externalTrafficPolicy) || self.type != 'ClusterIP'",
            "service.externalTrafficPolicy needs service.type LoadBalancer or NodePort: change the type or \
             remove the policy",
        ),
        rule(
            "self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || (has(self.loadBalancerClass) \
             == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == \
             oldSelf.loadBalancerClass))",
            "service.loadBalancerClass cannot be changed while service.type is LoadBalancer: set \
             service.type to ClusterIP first, then to LoadBalancer with the new class",
        ),
    ]
}

fn ranges_are_networks() -> Value {
    rule(
        "self.all(r, isCIDR(r))",
        "service.loadBalancerSourceRanges takes networks in CIDR notation, such as 203.0.113.0/24",
    )
}

fn family_rules() -> [Value; 2] {
    [
        rule(
            "self.size() < 2 || self[0] != self[1]",
            "service.ipFamilies must name each family only once: use [IPv4], [IPv6], [IPv4, IPv6] or [IPv6, \
             IPv4]",
        ),
        rule(
            "self.size() == 0 || oldSelf.size() == 0 || self[0] == oldSelf[0]",
            "the first family of service.ipFamilies cannot be changed: create another ChatCluster instead",
        ),
    ]
}

impl Default for ServiceSpec {
    fn default() -> Self {
        Self {
            type_: ServiceType::default(),
            port: 80,
            annotations: BTreeMap::new(),
            load_balancer_class: None,
            load_balancer_source_ranges: Vec::new(),
            external_traffic_policy: None,
            session_affinity: SessionAffinity::default(),
            ip_family_policy: IpFamilyPolicy::default(),
            ip_families: Vec::new(),
            publish: PublishMode::default(),
        }
    }
}

/// Decides how clients reach the hubs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum ServiceType {
    #[default]
    LoadBalancer,
    NodePort,
    ClusterIP,
}

impl ServiceType {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::NodePort => "NodePort",
            Self::ClusterIP => "ClusterIP",
        }
    }
}

/// Decides which hubs a connection from outside may be sent to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum ExternalTrafficPolicy {
    Cluster,
    Local,
}

impl ExternalTrafficPolicy {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}

/// Decides which hub the further connections of a client go to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum SessionAffinity {
    #[default]
    None,
    ClientIP,
}

impl SessionAffinity {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::ClientIP => "ClientIP",
        }
    }
}

/// Decides in how many IP families the Service has addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum IpFamilyPolicy {
    #[default]
    SingleStack,
    PreferDualStack,
    RequireDualStack,
}

impl IpFamilyPolicy {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SingleStack => "SingleStack",
            Self::PreferDualStack => "PreferDualStack",
            Self::RequireDualStack => "RequireDualStack",
        }
    }
}

/// An IP family.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum IpFamily {
    #[serde(rename = "IPv4")]
    V4,
    #[serde(rename = "IPv6")]
    V6,
}

impl IpFamily {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// Decides when the public Service is created.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum PublishMode {
    #[default]
    WhenVerified,
    Immediately,
}
