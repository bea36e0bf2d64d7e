//! The number of hubs, and the number that may be missing: the autoscaler and the disruption budget, both
//! named as the Deployment.

use k8s_openapi::api::autoscaling::v2::{
    CrossVersionObjectReference, HorizontalPodAutoscaler, HorizontalPodAutoscalerSpec, MetricSpec,
    MetricTarget, ResourceMetricSource,
};
use k8s_openapi::api::policy::v1::{PodDisruptionBudget, PodDisruptionBudgetSpec};
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::meta::meta;
use crate::reconcile::validate::Cluster;
use chatcluster_api::names::{self, Component};

/// Returns the autoscaler, if the spec asks for one.
pub(super) fn autoscaler(cluster: &Cluster) -> Option<HorizontalPodAutoscaler> {
    let wanted = cluster.spec.hub.autoscaling.as_ref()?;
    Some(HorizontalPodAutoscaler {
        metadata: meta(cluster, names::hub(&cluster.name), Component::Hub),
        spec: Some(HorizontalPodAutoscalerSpec {
            min_replicas: Some(wanted.min_replicas),
            max_replicas: wanted.max_replicas,
            metrics: Some(vec![MetricSpec {
                type_: "Resource".to_owned(),
                resource: Some(ResourceMetricSource {
                    name: "cpu".to_owned(),
                    target: MetricTarget {
                        type_: "Utilization".to_owned(),
                        average_utilization: Some(wanted.target_cpu_utilization_percentage),
                        ..MetricTarget::default()
                    },
                }),
                ..MetricSpec::default()
            }]),
            scale_target_ref: CrossVersionObjectReference {
                api_version: Some("apps/v1".to_owned()),
                kind: "Deployment".to_owned(),
                name: names::hub(&cluster.name),
            },
            ..HorizontalPodAutoscalerSpec::default()
        }),
        ..HorizontalPodAutoscaler::default()
    })
}

/// Returns the disruption budget: one hub at a time may be evicted. It never blocks a drain: with one hub,
/// that one may go.
pub(super) fn budget(cluster: &Cluster) -> PodDisruptionBudget {
    PodDisruptionBudget {
        metadata: meta(cluster, names::hub(&cluster.name), Component::Hub),
        spec: Some(PodDisruptionBudgetSpec {
            max_unavailable: Some(IntOrString::Int(1)),
            selector: Some(names::selector(&cluster.name, Component::Hub)),
            // A hub that is not ready keeps no node from being drained.
            unhealthy_pod_eviction_policy: Some("AlwaysAllow".to_owned()),
            ..PodDisruptionBudgetSpec::default()
        }),
        ..PodDisruptionBudget::default()
    }
}
