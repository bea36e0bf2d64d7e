//! The third step, pure: it turns the observed state into a verdict on each condition, in one function each.
//! Each message names the object and the remedy.

mod verdict;
mod volume;

use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::Pod;
use kube::ResourceExt;

use crate::reconcile::observe::{Observed, RedisReport};
use crate::reconcile::validate::hub_keys::client_key;
use crate::reconcile::validate::{Auth, AuthError, Cluster, UserSecret};
use chatcluster_api::diagnose::{PodProblem, pod_problem};
use chatcluster_api::names::{self, AUTH_REVISION, HUB_CONTAINER, REDIS_CONTAINER};
use chatcluster_api::pods::is_ready;
use chatcluster_api::{ChatClusterStatus, ConditionType, Persistence, Reason, VerifyMode};

pub use verdict::Verdict;
pub use volume::{Growth, growth};

pub(super) use verdict::{no, yes};
use volume::growth_in_progress;

/// The number of failed attempts in a row, a second apart, from which Redis is reported as unreachable.
const UNREACHABLE_ATTEMPTS: u32 = 5;

/// The verdicts on the conditions of one cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verdicts {
    /// The verdict on `PasswordCurrent`.
    pub password: Verdict,
    /// The verdict on `BackplaneReady`.
    pub backplane: Verdict,
    /// The verdict on `HubReady`.
    pub hub: Verdict,
    /// The verdict on `Verified`.
    pub verified: Verdict,
}

/// Judges the observed state. `before`: the status so far. A rollout of the hubs does not undo that the
/// cluster was verified, and the verdict on Redis stays until there is news.
pub fn judge(
    cluster: &Cluster,
    observed: &Observed,
    auth: Result<&Auth, &AuthError>,
    before: &ChatClusterStatus,
) -> Verdicts {
    let password = password_current(observed, auth);
    let backplane = backplane_ready(cluster, observed, auth.ok(), before);
    let hub = hub_ready(cluster, observed);
    let verified = verified(cluster, observed, &backplane, &hub, before);
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
                if observed.auth.is_some() { "; until then the former password is in use" } else { "" };
            no(reason, format!("{error}{meanwhile}"))
        }
        Ok(auth) if is_rotating(observed, auth) => {
            no(Reason::Rotating, "Redis restarts with the new password, and hubs follow as they see it")
        }
        Ok(auth) => match (auth.password.weakness(), &observed.user_secret) {
            (Some(weakness), UserSecret::Found(named, _)) => yes(
                Reason::WeakPassword,
                format!(
                    "the password of the Secret {} is in use, but it {weakness}: write a longer, random one into it",
                    named.name
                ),
            ),
            _ => yes(Reason::Current, "the password that the spec names is in use"),
        },
    }
}

/// True if Redis's pod was started with another password than the current one.
fn is_rotating(observed: &Observed, auth: &Auth) -> bool {
    observed
        .redis_pod
        .as_ref()
        .is_some_and(|pod| pod.annotations().get(AUTH_REVISION) != Some(&auth.revision))
}

fn backplane_ready(
    cluster: &Cluster,
    observed: &Observed,
    auth: Option<&Auth>,
    before: &ChatClusterStatus,
) -> Verdict {
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
    if let Some(verdict) = volume_problem(cluster, observed, pod) {
        return verdict;
    }
    if let Some(problem) = pod_problem(pod, REDIS_CONTAINER, "spec.redis.image") {
        return problem_verdict(problem, Reason::RedisCrashing);
    }
    // Until Redis has been unreachable for long, the former verdict on it stays. A new operator starts to
    // count from zero.
    let was_unreachable = before
        .condition(ConditionType::BackplaneReady)
        .is_some_and(|condition| condition.reason == Reason::Unreachable.as_str());
    let answers = match observed.redis {
        RedisReport::Answers(_) => true,
        RedisReport::Unreachable { .. } => before.holds(ConditionType::BackplaneReady),
        RedisReport::PasswordRejected | RedisReport::NotAsked => false,
    };
    match &observed.redis {
        _ if auth.is_some_and(|auth| is_rotating(observed, auth)) => {
            no(Reason::RedisStarting, format!("pod {name} restarts with the new password"))
        }
        RedisReport::PasswordRejected => no(
            Reason::PasswordRejected,
            format!(
                "Redis rejects the password of Secret {}: its users were changed after it started; restart it with: \
                 kubectl delete pod {name}",
                names::redis_auth(&cluster.name)
            ),
        ),
        RedisReport::Unreachable { error, times }
            if is_ready(pod) && (was_unreachable || *times >= UNREACHABLE_ATTEMPTS) =>
        {
            no(
                Reason::Unreachable,
                format!(
                    "pod {name} is ready, but the operator cannot reach it ({error}): does a NetworkPolicy or a firewall keep \
                 it out?"
                ),
            )
        }
        _ if answers && is_ready(pod) => {
            let grows = observed.claim.as_deref().and_then(growth_in_progress);
            let grows = grows.map(|grows| format!("; {grows}")).unwrap_or_default();
            yes(Reason::Ready, format!("Redis takes the password and answers{grows}"))
        }
        RedisReport::Answers(_) | RedisReport::Unreachable { .. } | RedisReport::NotAsked => {
            no(Reason::RedisStarting, format!("pod {name} is starting"))
        }
    }
}

/// Returns the verdict on a missing volume. It shows as a pod that cannot be scheduled, and the claim says
/// more.
fn volume_problem(cluster: &Cluster, observed: &Observed, pod: &Pod) -> Option<Verdict> {
    if cluster.spec.redis.persistence == Persistence::None {
        return None;
    }
    let Some(PodProblem::Unschedulable(scheduler)) = pod_problem(pod, REDIS_CONTAINER, "spec.redis.image")
    else {
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
                 or recreate the ChatCluster with redis.storage.storageClassName"
            ),
        ),
        class if observed.storage_class.is_none() && !observed.without_storage_classes => no(
            Reason::StorageClassMissing,
            format!(
                "the claim {name} waits for a volume of the storage class {class}, which does not exist: create the class, \
                 or recreate the ChatCluster with another redis.storage.storageClassName"
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

fn problem_verdict(problem: PodProblem, crashing: Reason) -> Verdict {
    match problem {
        PodProblem::Unschedulable(message) => no(Reason::Unschedulable, message),
        PodProblem::ImagePullFailed(message) => no(Reason::ImagePullFailed, message),
        PodProblem::CannotStart(message) => no(Reason::PodsRefused, message),
        PodProblem::Crashing(message) => no(crashing, message),
    }
}

/// Returns the desired number of hubs: that of the spec, or of the autoscaler.
pub(super) fn desired_hubs(cluster: &Cluster, observed: &Observed) -> i32 {
    let scaled = || observed.hub_deployment.as_ref()?.spec.as_ref()?.replicas;
    let fewest = || cluster.spec.hub.autoscaling.as_ref().map(|autoscaling| autoscaling.min_replicas);
    cluster.replicas().or_else(scaled).or_else(fewest).unwrap_or(0)
}

fn hub_ready(cluster: &Cluster, observed: &Observed) -> Verdict {
    let wanted = desired_hubs(cluster, observed);
    let name = names::hub(&cluster.name);
    if let Err(error) = client_key(cluster, &observed.hub_secret) {
        let meanwhile =
            if observed.hub_deployment.is_some() { "; until then the hubs run on as they were" } else { "" };
        return no((&error).into(), format!("{error}{meanwhile}"));
    }
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
        return no(Reason::RollingOut, format!("Deployment {name} is being created"));
    };
    let status = deployment.status.clone().unwrap_or_default();
    let ready = status.ready_replicas.unwrap_or(0);
    let current = status.observed_generation >= deployment.metadata.generation
        && deployment.spec.as_ref().and_then(|spec| spec.replicas) == Some(wanted)
        && [status.replicas, status.updated_replicas, status.ready_replicas] == [Some(wanted); 3];
    if current {
        let unscaled = observed.hub_autoscaler.as_deref().and_then(does_not_scale).unwrap_or_default();
        return yes(Reason::Ready, format!("{ready} of {wanted} hubs are ready{unscaled}"));
    }
    if let Some(problem) =
        observed.hub_pods.iter().find_map(|pod| pod_problem(pod, HUB_CONTAINER, "spec.hub.image"))
    {
        return problem_verdict(problem, Reason::HubCrashing);
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

/// Returns why the autoscaler cannot change the number of hubs; `None` if it can.
fn does_not_scale(autoscaler: &HorizontalPodAutoscaler) -> Option<String> {
    let conditions = autoscaler.status.as_ref()?.conditions.as_ref()?;
    let stuck = conditions.iter().find(|c| {
        c.status == "False"
            && c.type_ == "ScalingActive"
            // With no hubs the autoscaler is switched off, which is no fault.
            && c.reason.as_deref() != Some("ScalingDisabled")
    })?;
    Some(format!(
        "; the autoscaler does not change that ({}): is there a metrics server, and do hub.resources request CPU?",
        stuck.reason.as_deref().unwrap_or("no reason given")
    ))
}

fn verified(
    cluster: &Cluster,
    observed: &Observed,
    backplane: &Verdict,
    hub: &Verdict,
    before: &ChatClusterStatus,
) -> Verdict {
    if !backplane.holds {
        return no(Reason::WaitingForBackplane, "Redis is not ready");
    }
    let ready = observed.hub_pods.iter().filter(|pod| is_ready(pod)).count();
    if ready == 0 || !(hub.holds || before.was_verified()) {
        return no(Reason::WaitingForHubs, hub.message.clone());
    }
    if cluster.spec.hub.verify == VerifyMode::Readiness {
        return yes(Reason::Verified, "Redis answers and the hubs are ready");
    }
    let stays =
        matches!(observed.redis, RedisReport::Unreachable { .. }) && before.holds(ConditionType::Verified);
    match observed.unsubscribed_hubs.first() {
        Some(pod) if !stays => no(
            Reason::HubNotSubscribed,
            format!(
                "hub pod {pod} is ready but not subscribed on Redis; if its image subscribes only when a client comes, set \
                 hub.verify to Readiness"
            ),
        ),
        _ => yes(Reason::Verified, "every ready hub is subscribed on Redis"),
    }
}
