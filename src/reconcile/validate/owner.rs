//! Whose an object is.

use chatcluster_api::names::{APPLIED, INSTANCE, MANAGED_BY, OPERATOR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::cluster::Cluster;

/// Whether `object` is a child of `cluster`: by its controller or, where someone took that away, by what we wrote on it.
pub(crate) fn owns<K: Resource>(cluster: &Cluster, object: &K) -> bool {
    let label = |name| object.labels().get(name).map(String::as_str);
    match controller(object) {
        Some(controller) => controller.uid == cluster.uid,
        None => {
            label(MANAGED_BY) == Some(OPERATOR)
                && label(INSTANCE) == Some(cluster.name.as_str())
                && object.annotations().contains_key(APPLIED)
        }
    }
}

/// The one that `object` is a child of.
pub(crate) fn controller<K: Resource>(object: &K) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}
