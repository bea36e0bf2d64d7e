//! The owner of an object.

use chatcluster_api::names::{APPLIED, INSTANCE, MANAGED_BY, OPERATOR};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};

use super::cluster::Cluster;

/// True if `object` is a child of `cluster`: by its controller or, where someone removed that, by the labels
/// and the annotation that the operator wrote on it.
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

/// Returns the owner reference of the object's controller.
pub(crate) fn controller<K: Resource>(object: &K) -> Option<&OwnerReference> {
    object.owner_references().iter().find(|owner| owner.controller == Some(true))
}
