//! The children of a `ChatCluster`, each with its readiness, in the order in which clients depend on them.

use chatcluster_api::ConditionType;
use chatcluster_api::diagnose::{PodProblem, pod_problem};
use chatcluster_api::names::{Component, HUB_CONTAINER, REDIS_CONTAINER, hub_token, redis_auth};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::jiff::Timestamp;
use kube::{Resource, ResourceExt};
use serde::Serialize;

use crate::model::{Chat, current};
use crate::read::{Snapshot, is_ready, part};

/// An object, with the objects below it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Child {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) state: State,
    /// Such as `2/2`; empty for objects without a count
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) ready: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) detail: String,
    /// For a hub pod: whether the operator has seen it on the backplane; absent if the status does not say
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) created: Option<Timestamp>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) children: Vec<Child>,
}

/// The state of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub(crate) enum State {
    /// It is as it should be
    Ready,
    /// It is on its way there
    Waiting,
    /// It needs a person
    Failed,
    /// Only its name is known
    Unknown,
}

impl Child {
    fn of<K: Resource<DynamicType = ()>>(object: &K, state: State) -> Self {
        Self {
            kind: K::kind(&()).into_owned(),
            name: object.name_any(),
            state: if object.meta().deletion_timestamp.is_some() { State::Waiting } else { state },
            ready: String::new(),
            detail: if object.meta().deletion_timestamp.is_some() {
                "being deleted".into()
            } else {
                String::new()
            },
            verified: None,
            created: object.meta().creation_timestamp.as_ref().map(|time| time.0),
            children: Vec::new(),
        }
    }

    fn with(mut self, ready: impl Into<String>, detail: impl Into<String>) -> Self {
        self.ready = ready.into();
        if self.detail.is_empty() {
            self.detail = detail.into();
        }
        self
    }
}

pub(super) fn children(snapshot: &Snapshot) -> Vec<Child> {
    let chat = &snapshot.chat;
    let ours = |owners: &[k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference]| {
        owners.is_empty() || owners.iter().any(|owner| Some(&owner.uid) == chat.metadata.uid.as_ref())
    };
    let mut all = Vec::new();
    for deployment in snapshot.deployments.iter().filter(|d| ours(d.owner_references())) {
        let pods = snapshot.pods.iter().filter(|pod| part(*pod) == Some(Component::Hub));
        let mut child = of_deployment(deployment);
        child.children = sorted(pods.map(|pod| of_hub(pod, chat)).collect());
        all.push(child);
    }
    all.extend(snapshot.autoscalers.iter().filter(|a| ours(a.owner_references())).map(of_autoscaler));
    all.extend(snapshot.budgets.iter().filter(|b| ours(b.owner_references())).map(of_budget));
    for set in snapshot.stateful_sets.iter().filter(|s| ours(s.owner_references())) {
        let pods = snapshot.pods.iter().filter(|pod| part(*pod) == Some(Component::Backplane));
        let mut child = of_stateful_set(set);
        child.children = sorted(pods.map(|pod| of_pod(pod, REDIS_CONTAINER, "spec.redis.image")).collect());
        child.children.extend(sorted(snapshot.claims.iter().map(of_claim).collect()));
        all.push(child);
    }
    if snapshot.stateful_sets.is_empty() {
        all.extend(sorted(snapshot.claims.iter().map(of_claim).collect()));
    }
    all.extend(sorted(
        snapshot.services.iter().filter(|s| ours(s.owner_references())).map(of_service).collect(),
    ));
    let policies = snapshot.policies.iter().filter(|p| ours(p.owner_references()));
    all.extend(sorted(policies.map(|policy| Child::of(policy, State::Ready)).collect()));
    let maps = snapshot.config_maps.iter().filter(|m| ours(m.owner_references()));
    all.extend(sorted(maps.map(|map| Child::of(map, State::Ready)).collect()));
    let holds = |type_| current(chat, type_).map(|condition| condition.status == "True");
    let token = hub_token(&chat.name_any());
    // An operator of an earlier version does not create it.
    if snapshot.deployments.iter().any(|deployment| mounts(deployment, &token)) {
        // Hubs that are not ready may lack something else.
        let state = if holds(ConditionType::HubReady) == Some(true) { State::Ready } else { State::Unknown };
        all.push(secret(token, state));
    }
    let state = match holds(ConditionType::PasswordCurrent) {
        Some(true) => State::Ready,
        Some(false) => State::Waiting,
        None => State::Unknown,
    };
    all.push(secret(redis_auth(&chat.name_any()), state));
    all
}

fn mounts(deployment: &Deployment, secret: &str) -> bool {
    let pod = deployment.spec.as_ref().and_then(|spec| spec.template.spec.as_ref());
    let volumes = pod.and_then(|pod| pod.volumes.as_ref());
    volumes
        .into_iter()
        .flatten()
        .any(|volume| volume.secret.as_ref().and_then(|source| source.secret_name.as_deref()) == Some(secret))
}

fn sorted(mut children: Vec<Child>) -> Vec<Child> {
    children.sort_by(|a, b| a.name.cmp(&b.name));
    children
}

/// An entry for a Secret, which is never read.
fn secret(name: String, state: State) -> Child {
    Child {
        kind: "Secret".into(),
        name,
        state,
        ready: String::new(),
        detail: "not read".into(),
        verified: None,
        created: None,
        children: Vec::new(),
    }
}

fn counted(ready: i32, wanted: i32, settled: bool) -> State {
    if ready == wanted && settled { State::Ready } else { State::Waiting }
}

fn of_deployment(deployment: &Deployment) -> Child {
    let status = deployment.status.clone().unwrap_or_default();
    let wanted = deployment.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or(0);
    let updated = status.updated_replicas.unwrap_or(0);
    let settled = status.observed_generation >= deployment.metadata.generation
        && updated == wanted
        && status.replicas.unwrap_or(0) == wanted;
    let containers =
        deployment.spec.as_ref().and_then(|s| s.template.spec.as_ref()).map(|pod| &pod.containers);
    let detail = if settled || updated == wanted {
        image(containers, HUB_CONTAINER)
    } else {
        format!("{updated} of {wanted} are of the current template")
    };
    Child::of(deployment, counted(ready, wanted, settled)).with(format!("{ready}/{wanted}"), detail)
}

fn of_stateful_set(set: &StatefulSet) -> Child {
    let status = set.status.clone().unwrap_or_default();
    let wanted = set.spec.as_ref().and_then(|spec| spec.replicas).unwrap_or(1);
    let ready = status.ready_replicas.unwrap_or(0);
    let settled = status.observed_generation >= set.metadata.generation
        && status.current_revision == status.update_revision;
    let containers = set.spec.as_ref().and_then(|s| s.template.spec.as_ref()).map(|pod| &pod.containers);
    Child::of(set, counted(ready, wanted, settled))
        .with(format!("{ready}/{wanted}"), image(containers, REDIS_CONTAINER))
}

fn image(containers: Option<&Vec<k8s_openapi::api::core::v1::Container>>, name: &str) -> String {
    let found = containers.and_then(|all| all.iter().find(|c| c.name == name)).and_then(|c| c.image.clone());
    found.unwrap_or_default()
}

fn of_hub(pod: &Pod, chat: &Chat) -> Child {
    let mut child = of_pod(pod, HUB_CONTAINER, "spec.hub.image");
    child.verified = is_verified(pod, chat);
    child
}

/// Whether the hub is verified, as far as the condition says: it names the first ready hub that is not
/// subscribed, and it covers ready hubs only.
fn is_verified(pod: &Pod, chat: &Chat) -> Option<bool> {
    let verified = current(chat, ConditionType::Verified)?;
    if !is_ready(pod) {
        None
    } else if verified.status == "True" {
        Some(true)
    } else {
        verified.message.split([' ', ',', ';']).any(|word| word == pod.name_any()).then_some(false)
    }
}

fn of_pod(pod: &Pod, container: &str, image_field: &str) -> Child {
    let status = pod.status.clone().unwrap_or_default();
    let containers = status.container_statuses.unwrap_or_default();
    let ready = containers.iter().filter(|c| c.ready).count();
    let total = pod.spec.as_ref().map_or(containers.len(), |spec| spec.containers.len());
    let restarts: i32 = containers.iter().map(|c| c.restart_count).sum();
    let node = pod.spec.as_ref().and_then(|spec| spec.node_name.clone());
    let problem = pod_problem(pod, container, image_field).map(|problem| match problem {
        PodProblem::Unschedulable(why)
        | PodProblem::ImagePullFailed(why)
        | PodProblem::CannotStart(why)
        | PodProblem::Crashing(why) => why,
    });
    let state = match (&problem, is_ready(pod)) {
        (Some(_), _) => State::Failed,
        (None, true) => State::Ready,
        (None, false) => State::Waiting,
    };
    let mut details = Vec::new();
    details.extend(node.map(|node| format!("on {node}")));
    if restarts > 0 {
        details.push(format!("{restarts} restart{}", if restarts == 1 { "" } else { "s" }));
    }
    Child::of(pod, state).with(format!("{ready}/{total}"), problem.unwrap_or_else(|| details.join(", ")))
}

fn of_claim(claim: &PersistentVolumeClaim) -> Child {
    let status = claim.status.clone().unwrap_or_default();
    let phase = status.phase.unwrap_or_default();
    let state = match phase.as_str() {
        "Bound" => State::Ready,
        "Lost" => State::Failed,
        _ => State::Waiting,
    };
    let size = status.capacity.and_then(|c| c.get("storage").map(|q| q.0.clone()));
    let class = claim.spec.as_ref().and_then(|spec| spec.storage_class_name.clone());
    let details: Vec<String> =
        [Some(phase), size, class].into_iter().flatten().filter(|d| !d.is_empty()).collect();
    Child::of(claim, state).with("", details.join(", "))
}

fn of_service(service: &Service) -> Child {
    let spec = service.spec.clone().unwrap_or_default();
    let type_ = spec.type_.unwrap_or_else(|| "ClusterIP".into());
    let port = spec.ports.iter().flatten().next();
    let ingress = service.status.as_ref().and_then(|s| s.load_balancer.as_ref()?.ingress.as_ref()?.first());
    let host = ingress.and_then(|i| i.ip.clone().or_else(|| i.hostname.clone()));
    let number = port.map(|p| p.port.to_string()).unwrap_or_default();
    let (state, detail) = match (type_.as_str(), host) {
        ("LoadBalancer", None) => (State::Waiting, format!("{type_}, port {number}, awaits an address")),
        (_, Some(host)) => (State::Ready, format!("{type_}, {host} port {number}")),
        ("NodePort", None) => {
            let node_port = port.and_then(|p| p.node_port).unwrap_or_default();
            (State::Ready, format!("{type_}, port {node_port} of every node"))
        }
        _ if spec.cluster_ip.as_deref() == Some("None") => (State::Ready, "headless".into()),
        _ => (State::Ready, format!("{type_}, port {number}")),
    };
    Child::of(service, state).with("", detail)
}

fn of_autoscaler(autoscaler: &HorizontalPodAutoscaler) -> Child {
    let status = autoscaler.status.clone().unwrap_or_default();
    let conditions = status.conditions.unwrap_or_default();
    let cannot = conditions
        .iter()
        .find(|c| c.status == "False" && ["AbleToScale", "ScalingActive"].contains(&c.type_.as_str()));
    let spec = autoscaler.spec.clone().unwrap_or_default();
    let range = format!("{} to {} hubs", spec.min_replicas.unwrap_or(1), spec.max_replicas);
    let detail = match cannot {
        Some(condition) => format!("{range}; {}", condition.message.as_deref().unwrap_or("cannot scale")),
        None => format!("{range}, wants {}", status.desired_replicas),
    };
    Child::of(autoscaler, if cannot.is_some() { State::Failed } else { State::Ready }).with("", detail)
}

fn of_budget(budget: &PodDisruptionBudget) -> Child {
    let allowed = budget.status.as_ref().map_or(0, |status| status.disruptions_allowed);
    let pods = if allowed == 1 { "1 pod".to_owned() } else { format!("{allowed} pods") };
    Child::of(budget, State::Ready).with("", format!("{pods} may be evicted now"))
}
