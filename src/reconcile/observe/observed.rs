//! The observed state of a cluster: plain data.

use std::sync::Arc;

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;

use super::redis::RedisReport;
use crate::reconcile::validate::UserSecret;

/// The observed state of one cluster.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The Secret `<name>-redis-auth`, if it is ours.
    pub auth: Option<Arc<Secret>>,
    /// The user's Secret with the password, if the spec refers to one.
    pub user_secret: UserSecret,
    /// The Secret `<name>-hub-token`, if it is ours.
    pub hub_token: Option<Arc<Secret>>,
    /// The user's Secret with the key that checks clients' tokens, if the spec refers to one.
    pub hub_secret: UserSecret,
    /// The StatefulSet `<name>-redis`, if it is ours.
    pub redis_set: Option<Arc<StatefulSet>>,
    /// The Deployment `<name>-hub`, if it is ours.
    pub hub_deployment: Option<Arc<Deployment>>,
    /// The autoscaler `<name>-hub`, if it is ours.
    pub hub_autoscaler: Option<Arc<HorizontalPodAutoscaler>>,
    /// The public Service `<name>`, if it is ours.
    pub public_service: Option<Arc<Service>>,
    /// Redis's pod.
    pub redis_pod: Option<Arc<Pod>>,
    /// The hubs' pods that are not being deleted.
    pub hub_pods: Vec<Arc<Pod>>,
    /// The claim of Redis's volume.
    pub claim: Option<Arc<PersistentVolumeClaim>>,
    /// The claim's storage class, if it exists.
    pub storage_class: Option<Arc<StorageClass>>,
    /// True if the operator may not read storage classes, so that one may exist that it does not know.
    pub without_storage_classes: bool,
    /// The last answer of Redis.
    pub redis: RedisReport,
    /// The names of the ready hub pods that Redis does not show subscribed.
    pub unsubscribed_hubs: Vec<String>,
}

impl Observed {
    /// Returns the names and resource versions of our Secrets that exist.
    pub fn own_secrets(&self) -> Vec<(String, Option<String>)> {
        let secrets = [&self.auth, &self.hub_token].into_iter().flatten();
        secrets.map(|secret| (secret.name_any(), secret.resource_version())).collect()
    }
}
