//! `spec.service`: the public address of the hubs.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rule;

/// The public address of the hubs: a Service with the name of the ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule("!has(self.loadBalancerClass) || self.type == 'LoadBalancer'", "service.loadBalancerClass needs service.type LoadBalancer: change the type or remove the class"), rule("!has(self.loadBalancerSourceRanges) || self.type == 'LoadBalancer'", "service.loadBalancerSourceRanges needs service.type LoadBalancer: change the type or remove the ranges"), rule("!has(self.externalTrafficPolicy) || self.type != 'ClusterIP'", "service.externalTrafficPolicy needs service.type LoadBalancer or NodePort: change the type or remove the policy"), rule("self.type != 'LoadBalancer' || oldSelf.type != 'LoadBalancer' || (has(self.loadBalancerClass) == has(oldSelf.loadBalancerClass) && (!has(self.loadBalancerClass) || self.loadBalancerClass == oldSelf.loadBalancerClass))", "service.loadBalancerClass cannot change while the type is LoadBalancer: set service.type to ClusterIP first, then to LoadBalancer with the new class")]))]
pub struct ServiceSpec {
    /// How the hubs are reached: `LoadBalancer` (an address of the cluster's load balancer), `NodePort` (a port of every
    /// node) or `ClusterIP` (from inside the cluster only, as behind an Ingress of your own).
    #[serde(rename = "type")]
    pub type_: ServiceType,

    /// The port that clients connect to.
    #[schemars(range(min = 1, max = 65535))]
    pub port: u16,

    /// Annotations of the Service, such as a cloud's settings for its load balancer.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    #[schemars(extend("maxProperties" = 64))]
    pub annotations: BTreeMap<String, String>,

    /// The load balancer implementation, where a cluster has several. It cannot be changed while the type is `LoadBalancer`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 253))]
    pub load_balancer_class: Option<String>,

    /// The clients' networks that the load balancer admits, in CIDR notation. The default admits everyone.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 64)))]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.all(r, isCIDR(r))", "service.loadBalancerSourceRanges takes networks in CIDR notation, such as 203.0.113.0/24")]))]
    pub load_balancer_source_ranges: Vec<String>,

    /// `Cluster` spreads connections over all hubs; `Local` keeps them on the node that they arrive at, which preserves
    /// the client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub external_traffic_policy: Option<ExternalTrafficPolicy>,

    /// `ClientIP` sends a client's connections to the same hub for up to three hours. Needed where a client makes several
    /// HTTP requests of one session, as Socket.IO and ASP.NET Core SignalR do unless they use WebSockets alone. A load
    /// balancer that hides the client's address needs `externalTrafficPolicy: Local`, or affinity of its own.
    pub session_affinity: SessionAffinity,

    /// Whether the Service has addresses of one IP family, of two where the cluster has two, or of two in any case.
    pub ip_family_policy: IpFamilyPolicy,

    /// The IP families of the Service, the first one being the primary, which cannot be changed later. The default
    /// leaves them to the cluster.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 2), extend("x-kubernetes-list-type" = "atomic"))]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.size() < 2 || self[0] != self[1]", "service.ipFamilies names each family once: [IPv4], [IPv6], [IPv4, IPv6] or [IPv6, IPv4]"), rule("self.size() == 0 || oldSelf.size() == 0 || self[0] == oldSelf[0]", "the first of service.ipFamilies cannot be changed: create another ChatCluster instead")]))]
    pub ip_families: Vec<IpFamily>,

    /// When the Service comes into being. `WhenVerified`: once every hub has been seen on the backplane; a later hiccup
    /// does not take it away again. `Immediately`: at once.
    pub publish: PublishMode,
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

/// How the hubs are reached.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum ServiceType {
    #[default]
    #[allow(missing_docs)]
    LoadBalancer,
    #[allow(missing_docs)]
    NodePort,
    #[allow(missing_docs)]
    ClusterIP,
}

impl ServiceType {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::LoadBalancer => "LoadBalancer",
            Self::NodePort => "NodePort",
            Self::ClusterIP => "ClusterIP",
        }
    }
}

/// Where connections that arrive at a node go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum ExternalTrafficPolicy {
    #[allow(missing_docs)]
    Cluster,
    #[allow(missing_docs)]
    Local,
}

impl ExternalTrafficPolicy {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cluster => "Cluster",
            Self::Local => "Local",
        }
    }
}

/// Whether a client's connections stay with one hub.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum SessionAffinity {
    #[default]
    #[allow(missing_docs)]
    None,
    #[allow(missing_docs)]
    ClientIP,
}

impl SessionAffinity {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "None",
            Self::ClientIP => "ClientIP",
        }
    }
}

/// Of how many IP families the Service has addresses.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum IpFamilyPolicy {
    #[default]
    #[allow(missing_docs)]
    SingleStack,
    #[allow(missing_docs)]
    PreferDualStack,
    #[allow(missing_docs)]
    RequireDualStack,
}

impl IpFamilyPolicy {
    /// As Kubernetes spells it.
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
pub enum IpFamily {
    #[serde(rename = "IPv4")]
    #[allow(missing_docs)]
    V4,
    #[serde(rename = "IPv6")]
    #[allow(missing_docs)]
    V6,
}

impl IpFamily {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::V4 => "IPv4",
            Self::V6 => "IPv6",
        }
    }
}

/// When the public Service comes into being.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum PublishMode {
    #[default]
    #[allow(missing_docs)]
    WhenVerified,
    #[allow(missing_docs)]
    Immediately,
}
