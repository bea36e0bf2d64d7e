//! The network policies of a cluster's pods.

use std::collections::BTreeMap;

use k8s_openapi::api::networking::v1::{
    NetworkPolicy, NetworkPolicyIngressRule, NetworkPolicyPeer, NetworkPolicyPort, NetworkPolicySpec,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::meta;
use crate::reconcile::validate::Cluster;
use chatcluster_api::names::{self, Component, OPERATOR, REDIS_PORT};

/// Returns the policy of Redis: it accepts connections of the hubs of this cluster and of the operator only,
/// and opens none.
pub(super) fn redis(cluster: &Cluster, operator_namespace: Option<&str>) -> NetworkPolicy {
    let hubs = NetworkPolicyPeer {
        pod_selector: Some(names::selector(&cluster.name, Component::Hub)),
        ..NetworkPolicyPeer::default()
    };
    let operator = operator_namespace.map(|namespace| NetworkPolicyPeer {
        namespace_selector: Some(matching("kubernetes.io/metadata.name", namespace)),
        pod_selector: Some(matching("app.kubernetes.io/name", OPERATOR)),
        ..NetworkPolicyPeer::default()
    });
    policy(
        cluster,
        names::redis(&cluster.name),
        Component::Backplane,
        NetworkPolicyIngressRule {
            from: Some([Some(hubs), operator].into_iter().flatten().collect()),
            ports: Some(vec![port(REDIS_PORT)]),
        },
        &["Ingress", "Egress"],
    )
}

/// Returns the policy of the hubs: they accept connections of everyone, on their port only. They may connect
/// to anything: an image of the user may need a database.
pub(super) fn hub(cluster: &Cluster) -> NetworkPolicy {
    policy(
        cluster,
        names::hub(&cluster.name),
        Component::Hub,
        NetworkPolicyIngressRule { from: None, ports: Some(vec![port(cluster.spec.hub.port)]) },
        &["Ingress"],
    )
}

fn policy(
    cluster: &Cluster,
    name: String,
    component: Component,
    rule: NetworkPolicyIngressRule,
    types: &[&str],
) -> NetworkPolicy {
    NetworkPolicy {
        metadata: meta(cluster, name, component),
        spec: Some(NetworkPolicySpec {
            pod_selector: Some(names::selector(&cluster.name, component)),
            ingress: Some(vec![rule]),
            policy_types: Some(types.iter().map(|t| (*t).to_owned()).collect()),
            // The operator owns this field though it is empty, so that a rule that someone adds is drift.
            egress: types.contains(&"Egress").then(Vec::new),
        }),
    }
}

fn port(port: u16) -> NetworkPolicyPort {
    NetworkPolicyPort {
        port: Some(IntOrString::Int(i32::from(port))),
        protocol: Some("TCP".to_owned()),
        ..NetworkPolicyPort::default()
    }
}

fn matching(label: &str, value: &str) -> LabelSelector {
    LabelSelector {
        match_labels: Some(BTreeMap::from([(label.to_owned(), value.to_owned())])),
        ..LabelSelector::default()
    }
}
