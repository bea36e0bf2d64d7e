//! Reads a `ChatCluster` and its objects. Kinds that the user may not list are left out, with a note; Secrets
//! are never read.

use std::fmt::Debug;

use chatcluster_api::names::{COMPONENT, Component, INSTANCE, selector_string};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::fault::{Fault, is_forbidden};
use crate::model::Chat;
use crate::operator;

/// Printed instead of an empty table.
pub(crate) const NONE: &str = "there are no ChatClusters here; -A shows those of all namespaces\n";

/// One `ChatCluster` and its children, as they were read.
pub(crate) struct Snapshot {
    pub(crate) chat: Chat,
    pub(crate) deployments: Vec<Deployment>,
    pub(crate) autoscalers: Vec<HorizontalPodAutoscaler>,
    pub(crate) budgets: Vec<PodDisruptionBudget>,
    pub(crate) stateful_sets: Vec<StatefulSet>,
    pub(crate) claims: Vec<PersistentVolumeClaim>,
    pub(crate) pods: Vec<Pod>,
    pub(crate) services: Vec<Service>,
    pub(crate) config_maps: Vec<ConfigMap>,
    pub(crate) policies: Vec<NetworkPolicy>,
    pub(crate) events: Vec<Event>,
    /// `None` if it was not found, or the user may not see it.
    pub(crate) operator: Option<Deployment>,
    /// A sentence for each kind that could not be read.
    pub(crate) notes: Vec<String>,
}

/// Listed objects, or a note that listing them is not allowed.
struct Listed<K> {
    items: Vec<K>,
    note: Option<String>,
}

pub(crate) async fn snapshot(cluster: &Cluster, name: &str) -> Result<Snapshot, Fault> {
    let chat = cluster.chat(name).await?;
    let labels =
        ListParams::default().labels(&format!("app.kubernetes.io/name=chatcluster,{INSTANCE}={name}"));
    let about = format!("involvedObject.kind=ChatCluster,involvedObject.name={name}");
    let about = ListParams::default().fields(&about);
    let (
        deployments,
        autoscalers,
        budgets,
        stateful_sets,
        claims,
        pods,
        services,
        config_maps,
        policies,
        events,
        operator,
    ) = tokio::try_join!(
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &labels),
        list(cluster, &about),
        operator::find(cluster),
    )?;
    let mut notes = Vec::new();
    let snapshot = Snapshot {
        chat,
        deployments: take(deployments, &mut notes),
        autoscalers: take(autoscalers, &mut notes),
        budgets: take(budgets, &mut notes),
        stateful_sets: take(stateful_sets, &mut notes),
        claims: take(claims, &mut notes),
        pods: take(pods, &mut notes),
        services: take(services, &mut notes),
        config_maps: take(config_maps, &mut notes),
        policies: take(policies, &mut notes),
        events: take(events, &mut notes),
        operator,
        notes,
    };
    Ok(snapshot)
}

fn take<K>(listed: Listed<K>, notes: &mut Vec<String>) -> Vec<K> {
    notes.extend(listed.note);
    listed.items
}

async fn list<K>(cluster: &Cluster, params: &ListParams) -> Result<Listed<K>, Fault>
where
    K: Resource<Scope = NamespaceResourceScope, DynamicType = ()> + Clone + Debug + DeserializeOwned,
{
    let plural = K::plural(&());
    match cluster.api::<K>().list(params).await {
        Ok(list) => Ok(Listed { items: list.items, note: None }),
        Err(error) if is_forbidden(&error) => {
            let note =
                format!("you may not list {plural} in namespace {}: they are left out", cluster.namespace);
            Ok(Listed { items: Vec::new(), note: Some(note) })
        }
        Err(error) => Err(Fault::of(format!("list {plural}"), &error)),
    }
}

/// The `ChatCluster`s of the namespace, or of all namespaces.
pub(crate) async fn chats(cluster: &Cluster, everywhere: bool) -> Result<Vec<Chat>, Fault> {
    let api = if everywhere { cluster.all_chats() } else { cluster.chats() };
    match api.list(&ListParams::default()).await {
        Ok(list) => Ok(list.items),
        Err(error) => Err(Fault::of("list ChatClusters", &error)),
    }
}

/// The pods of one part of a cluster that are not being deleted, sorted by name.
pub(crate) async fn pods(cluster: &Cluster, name: &str, part: Component) -> Result<Vec<Pod>, Fault> {
    let labels = ListParams::default().labels(&selector_string(name, part));
    let list = cluster.api::<Pod>().list(&labels).await.map_err(|e| Fault::of("list pods", &e))?;
    let mut pods: Vec<Pod> =
        list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    pods.sort_by_key(ResourceExt::name_any);
    Ok(pods)
}

/// True if the pod is ready and not being deleted.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// The part of the cluster that an object belongs to.
pub(crate) fn part(object: &impl ResourceExt) -> Option<Component> {
    let value = object.labels().get(COMPONENT)?;
    [Component::Hub, Component::Backplane].into_iter().find(|part| part.as_str() == value)
}
