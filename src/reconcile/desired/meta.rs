//! The metadata of the children.

use chatcluster_api::names::{self, Component};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use crate::reconcile::validate::Cluster;

/// Returns the metadata of the child `name`.
pub(super) fn meta(cluster: &Cluster, name: String, component: Component) -> ObjectMeta {
    let theirs = &cluster.spec.child_metadata;
    let mut labels = theirs.labels.clone();
    labels.extend(names::labels(&cluster.name, component));
    ObjectMeta {
        name: Some(name),
        namespace: Some(cluster.namespace.clone()),
        labels: Some(labels),
        annotations: (!theirs.annotations.is_empty()).then(|| theirs.annotations.clone()),
        owner_references: Some(vec![cluster.owner.clone()]),
        ..ObjectMeta::default()
    }
}
