//! Reading all that there is of one `ChatCluster`. What the user may not list is left out, with a note; Secrets are never
//! asked for.

use std::fmt::Debug;

use chatcluster_api::names::{COMPONENT, Component, INSTANCE, OPERATOR, selector_string};
use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, Event, PersistentVolumeClaim, Pod, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::api::ListParams;
use kube::core::NamespaceResourceScope;
use kube::{Api, Resource, ResourceExt};
use serde::de::DeserializeOwned;

use crate::cluster::Cluster;
use crate::fault::{Fault, is_forbidden};
use crate::model::Chat;

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
    /// `None` where the user may not look.
    pub(crate) operator: Option<Deployment>,
    /// What could not be read, each a sentence.
    pub(crate) notes: Vec<String>,
}

/// What was listed, and a note if it was not allowed.
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
        operator(cluster),
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

/// The operator's Deployment: of any namespace, or where the user may not look everywhere, of the one that the chart's
/// documentation installs it in.
pub(crate) async fn operator(cluster: &Cluster) -> Result<Option<Deployment>, Fault> {
    let labels = ListParams::default().labels(&format!("app.kubernetes.io/name={OPERATOR}"));
    let everywhere = Api::<Deployment>::all(cluster.client.clone()).list(&labels).await;
    let found = match everywhere {
        Err(error) if is_forbidden(&error) => {
            let there: Api<Deployment> = Api::namespaced(cluster.client.clone(), "chatcluster-system");
            there.list(&labels).await
        }
        other => other,
    };
    match found {
        Ok(list) => Ok(list.items.into_iter().next()),
        Err(error) if is_forbidden(&error) => Ok(None),
        Err(error) => Err(Fault::of("list deployments", &error)),
    }
}

/// The pods of one part of a cluster that are not on their way out, by name.
pub(crate) async fn pods(cluster: &Cluster, name: &str, part: Component) -> Result<Vec<Pod>, Fault> {
    let labels = ListParams::default().labels(&selector_string(name, part));
    let list = cluster.api::<Pod>().list(&labels).await.map_err(|e| Fault::of("list pods", &e))?;
    let mut pods: Vec<Pod> =
        list.items.into_iter().filter(|pod| pod.metadata.deletion_timestamp.is_none()).collect();
    pods.sort_by_key(ResourceExt::name_any);
    Ok(pods)
}

/// Whether a pod takes connections.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.as_ref().and_then(|status| status.conditions.as_ref());
    pod.metadata.deletion_timestamp.is_none()
        && conditions.is_some_and(|all| all.iter().any(|c| c.type_ == "Ready" && c.status == "True"))
}

/// Which part an object belongs to.
pub(crate) fn part(object: &impl ResourceExt) -> Option<Component> {
    let value = object.labels().get(COMPONENT)?;
    [Component::Hub, Component::Backplane].into_iter().find(|part| part.as_str() == value)
}
