//! The last step, pure except for the patch that [`super`] sends: it builds the whole status from the
//! verdicts and from the results of applying the children.

mod failure;
mod pace;

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;

use crate::reconcile::judge::{Verdict, Verdicts, desired_hubs, no, yes};
use crate::reconcile::observe::Observed;
use crate::reconcile::validate::{Cluster, HoldReason, hub_selector};
use chatcluster_api::{ChatClusterStatus, ConditionType, HubStatus, Pending, Reason, ServiceType};

pub use failure::Failure;
pub(super) use pace::pause;

/// Returns the address at which clients connect to the public Service; `None` until it is known.
fn address(cluster: &Cluster, service: &Service) -> Option<String> {
    let wanted = &cluster.spec.service;
    let host = match wanted.type_ {
        ServiceType::LoadBalancer => {
            let ingress = service.status.as_ref()?.load_balancer.as_ref()?.ingress.as_ref()?.first()?;
            ingress.ip.clone().or_else(|| ingress.hostname.clone())?
        }
        ServiceType::ClusterIP => format!("{}.{}.svc", cluster.name, cluster.namespace),
        ServiceType::NodePort => {
            let port = service.spec.as_ref()?.ports.as_ref()?.first()?.node_port?;
            return Some(format!("<node>:{port}"));
        }
    };
    let host = if host.contains(':') { format!("[{host}]") } else { host };
    Some(if wanted.port == 80 { host } else { format!("{host}:{}", wanted.port) })
}

fn published(cluster: &Cluster, observed: &Observed, verified: &Verdict) -> (Verdict, Option<String>) {
    let Some(service) = &observed.public_service else {
        let why = if verified.holds {
            format!("Service {} is being created", cluster.name)
        } else {
            format!("the Service is made once the cluster is verified: {}", verified.message)
        };
        return (no(Reason::NotVerified, why), None);
    };
    match address(cluster, service) {
        Some(address) => (yes(Reason::Published, format!("clients connect to {address}")), Some(address)),
        None => (
            no(
                Reason::AddressPending,
                format!(
                    "Service {name} awaits an address from the cluster's load balancer; where there is none, MetalLB or \
                     (for kind) cloud-provider-kind gives one, and until then this reaches it: kubectl -n {ns} \
                     port-forward service/{name} 8080:{port}",
                    name = cluster.name,
                    ns = cluster.namespace,
                    port = cluster.spec.service.port,
                ),
            ),
            None,
        ),
    }
}

/// The children that are not as desired.
#[derive(Debug)]
pub struct Unapplied<'a> {
    /// The failures to write children.
    pub failures: &'a [Failure],
    /// The changes that are held back while the cluster is paused or held.
    pub pending: Vec<Pending>,
}

/// Builds the whole status. `before`: the status so far, whose transition times stay where a condition has
/// not changed.
pub fn status(
    cluster: &Cluster,
    generation: Option<i64>,
    observed: &Observed,
    verdicts: &Verdicts,
    unapplied: Unapplied<'_>,
    before: &ChatClusterStatus,
    now: Timestamp,
) -> ChatClusterStatus {
    let Verdicts { password, backplane, hub, verified } = verdicts;
    let (published, address) = published(cluster, observed, verified);
    let ready = ready(
        cluster,
        observed,
        unapplied.failures,
        [password, backplane, hub, verified, &published],
        address.as_deref(),
    );
    let condition = |type_: ConditionType, verdict: &Verdict| {
        let status = if verdict.holds { "True" } else { "False" };
        let unchanged = before.condition(type_).filter(|c| c.status == status);
        Condition {
            type_: type_.as_str().to_owned(),
            status: status.to_owned(),
            reason: verdict.reason.as_str(),
            message: verdict.message.clone(),
            observed_generation: generation,
            last_transition_time: unchanged.map_or(Time(now), |c| c.last_transition_time.clone()),
        }
    };
    let deployed = observed.hub_deployment.as_ref().and_then(|d| d.status.as_ref());
    let ready_replicas = deployed.and_then(|s| s.ready_replicas).unwrap_or(0);
    ChatClusterStatus {
        observed_generation: generation,
        address,
        hub: Some(HubStatus {
            replicas: deployed.and_then(|s| s.replicas).unwrap_or(0),
            ready_replicas,
            selector: hub_selector(cluster),
            summary: format!("{ready_replicas}/{}", desired_hubs(cluster, observed)),
        }),
        pending: unapplied.pending,
        conditions: vec![
            condition(ConditionType::Ready, &ready),
            condition(ConditionType::PasswordCurrent, password),
            condition(ConditionType::BackplaneReady, backplane),
            condition(ConditionType::HubReady, hub),
            condition(ConditionType::Verified, verified),
            condition(ConditionType::Published, &published),
        ],
    }
}

/// Builds the condition `Ready`, the summary: a child that could not be written comes first, then the first
/// condition that does not hold.
fn ready(
    cluster: &Cluster,
    observed: &Observed,
    failures: &[Failure],
    conditions: [&Verdict; 5],
    address: Option<&str>,
) -> Verdict {
    let summary = match (failures.first(), conditions.into_iter().find(|verdict| !verdict.holds)) {
        (Some(failure), _) => no(failure.reason, failure.message.clone()),
        (None, Some(first)) => first.clone(),
        (None, None) => yes(
            Reason::Ready,
            format!("{} hubs serve at {}", desired_hubs(cluster, observed), address.unwrap_or_default()),
        ),
    };
    let (reason, until) = match cluster.held {
        None => return summary,
        Some(HoldReason::Paused) => {
            (Reason::Paused, "paused: the operator changes nothing until spec.paused is false")
        }
        Some(HoldReason::Hold) => {
            (Reason::Held, "held: the operator was started with --hold and changes nothing")
        }
    };
    Verdict { reason, message: format!("{until}; otherwise: {}", summary.message), ..summary }
}

#[cfg(test)]
mod tests;
