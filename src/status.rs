//! From what was observed and done to the status: pure. One condition a function, each with a message that names the
//! object and what a person can do.

use k8s_openapi::api::core::v1::Service;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{Condition, Time};
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;

use crate::api::{ChatClusterStatus, ConditionType, HubStatus, Persistence, ServiceType, VerifyMode};
use crate::apply::ApplyError;
use crate::backplane::Report;
use crate::diagnose::{Trouble, trouble};
use crate::names::{self, AUTH_REVISION, HUB_CONTAINER, REDIS_CONTAINER};
use crate::observe::{Observed, is_ready};
use crate::validate::{Auth, AuthError, Cluster, hub_selector};

/// How often in a row Redis must be out of reach, a second apart, before that is said to a person.
const PERSISTENT: u32 = 5;

/// Why a condition is as it is, in the form that `status.conditions[].reason` takes. Every reason has a paragraph in
/// `docs/operations.md`, and a test that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    // all conditions
    Ready,
    // Ready
    NameTaken,
    ApplyFailed,
    Paused,
    // PasswordCurrent
    Current,
    Rotating,
    SecretMissing,
    SecretKeyMissing,
    PasswordInvalid,
    // BackplaneReady
    RedisStarting,
    VolumePending,
    StorageClassMissing,
    RedisCrashing,
    PasswordRejected,
    Unreachable,
    // BackplaneReady and HubReady
    ImagePullFailed,
    Unschedulable,
    PodsRefused,
    // HubReady
    ScaledToZero,
    RollingOut,
    HubCrashing,
    HubNotReady,
    // Verified
    Verified,
    WaitingForBackplane,
    WaitingForHubs,
    HubNotSubscribed,
    // Published
    Published,
    NotVerified,
    AddressPending,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 29] = [
        Self::Ready,
        Self::NameTaken,
        Self::ApplyFailed,
        Self::Paused,
        Self::Current,
        Self::Rotating,
        Self::SecretMissing,
        Self::SecretKeyMissing,
        Self::PasswordInvalid,
        Self::RedisStarting,
        Self::VolumePending,
        Self::StorageClassMissing,
        Self::RedisCrashing,
        Self::PasswordRejected,
        Self::Unreachable,
        Self::ImagePullFailed,
        Self::Unschedulable,
        Self::PodsRefused,
        Self::ScaledToZero,
        Self::RollingOut,
        Self::HubCrashing,
        Self::HubNotReady,
        Self::Verified,
        Self::WaitingForBackplane,
        Self::WaitingForHubs,
        Self::HubNotSubscribed,
        Self::Published,
        Self::NotVerified,
        Self::AddressPending,
    ];

    /// As it stands in a condition: the variant's name.
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }

    /// Whether a person should hear of it at once, by a warning event. The others are steps on the way.
    pub fn is_problem(self) -> bool {
        matches!(
            self,
            Self::NameTaken
                | Self::ApplyFailed
                | Self::SecretMissing
                | Self::SecretKeyMissing
                | Self::PasswordInvalid
                | Self::StorageClassMissing
                | Self::RedisCrashing
                | Self::PasswordRejected
                | Self::Unreachable
                | Self::ImagePullFailed
                | Self::Unschedulable
                | Self::PodsRefused
                | Self::HubCrashing
                | Self::HubNotReady
        )
    }
}

/// A condition before it has a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdict {
    /// `status`.
    pub holds: bool,
    /// `reason`.
    pub reason: Reason,
    /// `message`.
    pub message: String,
}

fn yes(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: true, reason, message: message.into() }
}

fn no(reason: Reason, message: impl Into<String>) -> Verdict {
    Verdict { holds: false, reason, message: message.into() }
}

/// The verdicts on one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// `PasswordCurrent`.
    pub password: Verdict,
    /// `BackplaneReady`.
    pub backplane: Verdict,
    /// `HubReady`.
    pub hub: Verdict,
    /// `Verified`.
    pub verified: Verdict,
}

/// Judges what was observed. `was_verified`: whether the cluster has been verified before; a hub that is being rolled
/// does not undo that.
pub fn judge(
    cluster: &Cluster,
    observed: &Observed,
    auth: Result<&Auth, &AuthError>,
    was_verified: bool,
) -> Verdicts {
    let password = password_current(observed, auth);
    let backplane = backplane_ready(cluster, observed, auth.ok());
    let hub = hub_ready(cluster, observed);
    let verified = verified(cluster, observed, &backplane, &hub, was_verified);
    Verdicts { password, backplane, hub, verified }
}

fn password_current(observed: &Observed, auth: Result<&Auth, &AuthError>) -> Verdict {
    match auth {
        Err(error) => {
            let reason = match error {
                AuthError::SecretMissing { .. } => Reason::SecretMissing,
                AuthError::KeyMissing { .. } => Reason::SecretKeyMissing,
                AuthError::Invalid { .. } => Reason::PasswordInvalid,
            };
            let meanwhile =
                if observed.auth.is_some() { "; until then the former password is in force" } else { "" };
            no(reason, format!("{error}{meanwhile}"))
        }
        Ok(auth) if is_rotating(observed, auth) => {
            no(Reason::Rotating, "Redis restarts with the new password, and hubs follow as they see it")
        }
        Ok(_) => yes(Reason::Current, "the password that the spec names is in force"),
    }
}

/// Whether Redis's pod was started with another password than the current one.
fn is_rotating(observed: &Observed, auth: &Auth) -> bool {
    observed
        .redis_pod
        .as_ref()
        .is_some_and(|pod| pod.annotations().get(AUTH_REVISION) != Some(&auth.revision))
}

fn backplane_ready(cluster: &Cluster, observed: &Observed, auth: Option<&Auth>) -> Verdict {
    let name = names::redis_pod(&cluster.name);
    let Some(pod) = &observed.redis_pod else {
        let set = names::redis(&cluster.name);
        return no(
            Reason::RedisStarting,
            format!(
                "StatefulSet {set} has no pod yet; if this lasts, see: kubectl describe statefulset {set}"
            ),
        );
    };
    if let Some(verdict) = volume_trouble(cluster, observed, pod) {
        return verdict;
    }
    if let Some(trouble) = trouble(pod, REDIS_CONTAINER, "spec.redis.image") {
        return trouble_verdict(trouble, Reason::RedisCrashing);
    }
    match &observed.report {
        _ if auth.is_some_and(|auth| is_rotating(observed, auth)) => {
            no(Reason::RedisStarting, format!("pod {name} restarts with the new password"))
        }
        Report::Rejected => no(
            Reason::PasswordRejected,
            format!(
                "Redis rejects the password of Secret {}: its users were changed after it started; restart it with: \
                 kubectl delete pod {name}",
                names::redis_auth(&cluster.name)
            ),
        ),
        Report::Unreachable { error, times } if is_ready(pod) && *times >= PERSISTENT => no(
            Reason::Unreachable,
            format!(
                "pod {name} is ready, but the operator cannot reach it ({error}): does a NetworkPolicy or a firewall keep \
                 it out?"
            ),
        ),
        Report::Answers(_) if is_ready(pod) => yes(Reason::Ready, "Redis takes the password and answers"),
        Report::Answers(_) | Report::Unreachable { .. } | Report::NotAsked => {
            no(Reason::RedisStarting, format!("pod {name} is starting"))
        }
    }
}

/// A volume that is missing shows as a pod that no node takes: the claim tells more.
fn volume_trouble(
    cluster: &Cluster,
    observed: &Observed,
    pod: &k8s_openapi::api::core::v1::Pod,
) -> Option<Verdict> {
    if cluster.spec.redis.persistence == Persistence::None {
        return None;
    }
    let Some(Trouble::Unschedulable(scheduler)) = trouble(pod, REDIS_CONTAINER, "spec.redis.image") else {
        return None;
    };
    let claim = observed.claim.as_ref()?;
    if claim.status.as_ref()?.phase.as_deref() != Some("Pending") {
        return None;
    }
    let name = claim.name_any();
    Some(match claim.spec.as_ref()?.storage_class_name.as_deref().unwrap_or_default() {
        "" => no(
            Reason::StorageClassMissing,
            format!(
                "the claim {name} waits for a volume, and the cluster has no default storage class: make one the default, \
                 or create the ChatCluster anew with redis.storage.storageClassName"
            ),
        ),
        class if !observed.storage_class_exists => no(
            Reason::StorageClassMissing,
            format!(
                "the claim {name} waits for a volume of the storage class {class}, which does not exist: create the class, \
                 or create the ChatCluster anew with another redis.storage.storageClassName"
            ),
        ),
        class => no(
            Reason::VolumePending,
            format!(
                "the claim {name} waits for a volume of the storage class {class} ({scheduler}); see: kubectl describe \
                 pvc {name}"
            ),
        ),
    })
}

fn trouble_verdict(trouble: Trouble, crashing: Reason) -> Verdict {
    match trouble {
        Trouble::Unschedulable(message) => no(Reason::Unschedulable, message),
        Trouble::ImagePullFailed(message) => no(Reason::ImagePullFailed, message),
        Trouble::CannotStart(message) => no(Reason::PodsRefused, message),
        Trouble::Crashing(message) => no(crashing, message),
    }
}

fn hub_ready(cluster: &Cluster, observed: &Observed) -> Verdict {
    let wanted = cluster.spec.hub.replicas;
    let name = names::hub(&cluster.name);
    if wanted == 0 {
        return no(
            Reason::ScaledToZero,
            format!(
                "hub.replicas is 0, so nobody is served: kubectl scale chatcluster/{} --replicas=2",
                cluster.name
            ),
        );
    }
    let Some(deployment) = &observed.hub_deployment else {
        return no(Reason::RollingOut, format!("Deployment {name} is being made"));
    };
    let status = deployment.status.clone().unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or(0);
    let current = status.observed_generation >= deployment.metadata.generation
        && deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(wanted)
        && [status.replicas, status.updated_replicas, status.ready_replicas] == [Some(wanted); 3];
    if current {
        return yes(Reason::Ready, format!("{ready} of {wanted} hubs are ready"));
    }
    if let Some(trouble) =
        observed.hub_pods.iter().find_map(|pod| trouble(pod, HUB_CONTAINER, "spec.hub.image"))
    {
        return trouble_verdict(trouble, Reason::HubCrashing);
    }
    let conditions = status.conditions.unwrap_or_default();
    let condition =
        |type_: &str, value: &str| conditions.iter().find(|c| c.type_ == type_ && c.status == value);
    if let Some(refused) = condition("ReplicaFailure", "True") {
        let why = refused.message.as_deref().unwrap_or("no reason given");
        return no(Reason::PodsRefused, format!("pods of Deployment {name} are refused: {why}"));
    }
    if condition("Progressing", "False").is_some() {
        return no(
            Reason::HubNotReady,
            format!(
                "{ready} of {wanted} hubs are ready, and no other becomes so: their GET /readyz fails; see: kubectl logs \
                 deployment/{name}"
            ),
        );
    }
    no(Reason::RollingOut, format!("{ready} of {wanted} hubs are ready"))
}

fn verified(
    cluster: &Cluster,
    observed: &Observed,
    backplane: &Verdict,
    hub: &Verdict,
    was_verified: bool,
) -> Verdict {
    if !backplane.holds {
        return no(Reason::WaitingForBackplane, "Redis is not ready");
    }
    let ready = observed.hub_pods.iter().filter(|pod| is_ready(pod)).count();
    if ready == 0 || !(hub.holds || was_verified) {
        return no(Reason::WaitingForHubs, hub.message.clone());
    }
    if cluster.spec.hub.verify == VerifyMode::Readiness {
        return yes(Reason::Verified, "Redis answers and the hubs are ready");
    }
    match observed.unseen.first() {
        None => yes(Reason::Verified, "every ready hub is subscribed on Redis"),
        Some(pod) => no(
            Reason::HubNotSubscribed,
            format!(
                "hub pod {pod} is ready but not subscribed on Redis; if its image subscribes only when a client comes, set \
                 hub.verify to Readiness"
            ),
        ),
    }
}

/// Whether the public Service has been there before: then a hiccup does not take it away.
pub fn was_published(status: &ChatClusterStatus) -> bool {
    let reasons = [Reason::Published.as_str(), Reason::AddressPending.as_str()];
    find(status, ConditionType::Published).is_some_and(|published| reasons.contains(&published.reason))
}

/// Whether the cluster has been verified before.
pub fn was_verified(status: &ChatClusterStatus) -> bool {
    find(status, ConditionType::Verified).is_some_and(|c| c.status == "True") || was_published(status)
}

/// The condition of that type.
pub fn find(status: &ChatClusterStatus, type_: ConditionType) -> Option<&Condition> {
    status.conditions.iter().find(|c| c.type_ == type_.as_str())
}

/// Where the clients of the public Service connect; `None` until that is known.
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
            format!("Service {} is being made", cluster.name)
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

/// The whole status. `failures`: what could not be written. `before`: the status so far, whose transition times stay where
/// nothing has changed.
pub fn status(
    cluster: &Cluster,
    generation: Option<i64>,
    observed: &Observed,
    verdicts: &Verdicts,
    failures: &[ApplyError],
    before: &ChatClusterStatus,
    now: Timestamp,
) -> ChatClusterStatus {
    let Verdicts { password, backplane, hub, verified } = verdicts;
    let (published, address) = published(cluster, observed, verified);
    let ready =
        ready(cluster, failures, [password, backplane, hub, verified, &published], address.as_deref());
    let condition = |type_: ConditionType, verdict: &Verdict| {
        let status = if verdict.holds { "True" } else { "False" };
        let unchanged = find(before, type_).filter(|c| c.status == status);
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
            summary: format!("{ready_replicas}/{}", cluster.spec.hub.replicas),
        }),
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

/// The summary: what could not be written comes first, then the first condition that does not hold.
fn ready(
    cluster: &Cluster,
    failures: &[ApplyError],
    conditions: [&Verdict; 5],
    address: Option<&str>,
) -> Verdict {
    let summary = match (failures.first(), conditions.into_iter().find(|verdict| !verdict.holds)) {
        (Some(error @ ApplyError::NameTaken { .. }), _) => no(Reason::NameTaken, error.to_string()),
        (Some(error), _) => no(Reason::ApplyFailed, error.to_string()),
        (None, Some(first)) => first.clone(),
        (None, None) => yes(
            Reason::Ready,
            format!("{} hubs serve at {}", cluster.spec.hub.replicas, address.unwrap_or_default()),
        ),
    };
    if cluster.spec.paused {
        let message = format!(
            "paused: the operator changes nothing until spec.paused is false; otherwise: {}",
            summary.message
        );
        return Verdict { reason: Reason::Paused, message, ..summary };
    }
    summary
}

#[cfg(test)]
mod tests;
