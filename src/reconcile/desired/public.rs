//! The public Service, which has the name of the `ChatCluster`.

use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::hub::PORT_NAME;
use super::meta::meta;
use crate::reconcile::validate::Cluster;
use chatcluster_api::names::{self, Component};
use chatcluster_api::{ExternalTrafficPolicy, ServiceType};

pub(super) fn service(cluster: &Cluster) -> Service {
    let wanted = &cluster.spec.service;
    let mut metadata = meta(cluster, cluster.name.clone(), Component::Hub);
    if !wanted.annotations.is_empty() {
        metadata.annotations.get_or_insert_default().extend(wanted.annotations.clone());
    }
    let ranges = &wanted.load_balancer_source_ranges;
    let external = wanted.type_ != ServiceType::ClusterIP;
    Service {
        metadata,
        spec: Some(ServiceSpec {
            type_: Some(wanted.type_.as_str().to_owned()),
            selector: Some(names::selector_labels(&cluster.name, Component::Hub)),
            ports: Some(vec![ServicePort {
                name: Some(PORT_NAME.to_owned()),
                port: i32::from(wanted.port),
                protocol: Some("TCP".to_owned()),
                target_port: Some(IntOrString::String(PORT_NAME.to_owned())),
                ..ServicePort::default()
            }]),
            session_affinity: Some(wanted.session_affinity.as_str().to_owned()),
            ip_family_policy: Some(wanted.ip_family_policy.as_str().to_owned()),
            ip_families: (!wanted.ip_families.is_empty())
                .then(|| wanted.ip_families.iter().map(|family| family.as_str().to_owned()).collect()),
            load_balancer_class: wanted.load_balancer_class.clone(),
            load_balancer_source_ranges: (!ranges.is_empty()).then(|| ranges.clone()),
            // The policy is set even when it is the default: otherwise its removal from the spec would leave
            // the former one.
            external_traffic_policy: external.then(|| {
                wanted.external_traffic_policy.unwrap_or(ExternalTrafficPolicy::Cluster).as_str().to_owned()
            }),
            ..ServiceSpec::default()
        }),
        ..Service::default()
    }
}
