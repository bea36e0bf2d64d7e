//! What is known of a cluster: plain data.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;

use super::redis::Report;
use crate::reconcile::validate::UserSecret;

/// What is known of one cluster.
#[derive(Clone, Debug)]
pub struct Observed {
    /// `<name>-redis-auth`, if it is ours.
    pub auth: Option<Arc<Secret>>,
    /// The Secret with the password that the spec refers to.
    pub user_secret: UserSecret,
    /// `<name>-hub-token`, if it is ours.
    pub hub_token: Option<Arc<Secret>>,
    /// The Secret that the spec refers to for the key of clients' tokens.
    pub hub_secret: UserSecret,
    /// `<name>-redis`.
    pub redis_set: Option<Arc<StatefulSet>>,
    /// `<name>-hub`.
    pub hub_deployment: Option<Arc<Deployment>>,
    /// `<name>-hub`.
    pub hub_autoscaler: Option<Arc<HorizontalPodAutoscaler>>,
    /// `<name>`.
    pub public_service: Option<Arc<Service>>,
    /// Redis's pod.
    pub redis_pod: Option<Arc<Pod>>,
    /// The hubs' pods that are not being deleted.
    pub hub_pods: Vec<Arc<Pod>>,
    /// The claim of Redis's volume.
    pub claim: Option<Arc<PersistentVolumeClaim>>,
    /// The claim's storage class, if it exists.
    pub storage_class: Option<Arc<StorageClass>>,
    /// Whether the operator cannot look at storage classes, so that one may exist that it does not know.
    pub without_storage_classes: bool,
    /// What Redis said.
    pub report: Report,
    /// The ready hubs that Redis does not show subscribed.
    pub unseen: Vec<String>,
}

impl Observed {
    /// Our Secrets that are there: their names and versions.
    pub fn own_secrets(&self) -> Vec<(String, Option<String>)> {
        let secrets = [&self.auth, &self.hub_token].into_iter().flatten();
        secrets.map(|secret| (secret.name_any(), secret.resource_version())).collect()
    }
}
