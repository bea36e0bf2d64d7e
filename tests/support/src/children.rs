//! The objects that the operator creates, as JSON: tests point at fields rather than at types.

use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
use k8s_openapi::api::autoscaling::v2::HorizontalPodAutoscaler;
use k8s_openapi::api::core::v1::{ConfigMap, PersistentVolumeClaim, Pod, Secret, Service};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use kube::Client;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use serde_json::Value;

/// The kinds of objects that tests look at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A `ConfigMap`.
    ConfigMap,
    /// A `Deployment`.
    Deployment,
    /// A `HorizontalPodAutoscaler`.
    HorizontalPodAutoscaler,
    /// A `NetworkPolicy`.
    NetworkPolicy,
    /// A `PersistentVolumeClaim`.
    PersistentVolumeClaim,
    /// A `Pod`.
    Pod,
    /// A `PodDisruptionBudget`.
    PodDisruptionBudget,
    /// A `Secret`.
    Secret,
    /// A `Service`.
    Service,
    /// A `StatefulSet`.
    StatefulSet,
}

impl Kind {
    /// The API resource of the kind.
    pub fn resource(self) -> ApiResource {
        match self {
            Self::ConfigMap => ApiResource::erase::<ConfigMap>(&()),
            Self::Deployment => ApiResource::erase::<Deployment>(&()),
            Self::HorizontalPodAutoscaler => ApiResource::erase::<HorizontalPodAutoscaler>(&()),
            Self::NetworkPolicy => ApiResource::erase::<NetworkPolicy>(&()),
            Self::PersistentVolumeClaim => ApiResource::erase::<PersistentVolumeClaim>(&()),
            Self::Pod => ApiResource::erase::<Pod>(&()),
            Self::PodDisruptionBudget => ApiResource::erase::<PodDisruptionBudget>(&()),
            Self::Secret => ApiResource::erase::<Secret>(&()),
            Self::Service => ApiResource::erase::<Service>(&()),
            Self::StatefulSet => ApiResource::erase::<StatefulSet>(&()),
        }
    }
}

/// Every child of a `ChatCluster` of this name, with a published Service and network policies.
pub(crate) fn children(name: &str) -> [(Kind, String); 11] {
    [
        (Kind::Secret, format!("{name}-redis-auth")),
        (Kind::Secret, format!("{name}-hub-token")),
        (Kind::ConfigMap, format!("{name}-redis-config")),
        (Kind::Service, format!("{name}-redis-nodes")),
        (Kind::Service, format!("{name}-redis")),
        (Kind::Service, name.to_owned()),
        (Kind::StatefulSet, format!("{name}-redis")),
        (Kind::Deployment, format!("{name}-hub")),
        (Kind::NetworkPolicy, format!("{name}-redis")),
        (Kind::NetworkPolicy, format!("{name}-hub")),
        (Kind::PodDisruptionBudget, format!("{name}-hub")),
    ]
}

/// One object of a namespace, which may or may not exist.
#[derive(Clone)]
pub struct Child {
    /// The kind of the object.
    pub kind: Kind,
    /// The name of the object.
    pub name: String,
    api: Api<DynamicObject>,
}

impl Child {
    pub(crate) fn new(client: Client, namespace: &str, kind: Kind, name: &str) -> Self {
        Self { kind, name: name.to_owned(), api: Api::namespaced_with(client, namespace, &kind.resource()) }
    }

    /// The object, if it exists and is not being deleted.
    pub async fn find(&self) -> Option<Value> {
        let object = self.api.get_opt(&self.name).await.unwrap_or_else(|error| panic!("{self}: {error}"))?;
        let object = serde_json::to_value(object).expect("an object is JSON");
        object["metadata"]["deletionTimestamp"].is_null().then_some(object)
    }

    /// The object, which must exist.
    pub async fn get(&self) -> Value {
        self.find().await.unwrap_or_else(|| panic!("{self} is not there"))
    }

    /// Like `find`, for waits.
    pub async fn seen(&self) -> Result<Value, String> {
        self.find().await.ok_or_else(|| format!("{self} is not there"))
    }

    /// The object that replaced the one with this uid, for waits.
    pub async fn replaced(&self, uid: &str) -> Result<Value, String> {
        let now = self.seen().await?;
        if now["metadata"]["uid"] == uid { Err("still the old one".into()) } else { Ok(now) }
    }

    /// The uid of the object, which must exist.
    pub async fn uid(&self) -> String {
        self.get().await["metadata"]["uid"].as_str().expect("every object has a uid").to_owned()
    }

    /// Applies a JSON merge patch, as `kubectl edit` would send it.
    pub async fn merge(&self, patch: Value) {
        let params = PatchParams { field_manager: Some("a-user".into()), ..PatchParams::default() };
        if let Err(error) = self.api.patch(&self.name, &params, &Patch::Merge(patch)).await {
            panic!("patching {self}: {error}");
        }
    }

    /// Applies a JSON patch (RFC 6902).
    pub async fn edit(&self, patch: Value) {
        if let Err(error) = self.try_edit(&patch).await {
            panic!("patching {self}: {error}");
        }
    }

    /// Like `edit`, for a patch that may be refused. Returns the patched object.
    pub async fn try_edit(&self, patch: &Value) -> kube::Result<Value> {
        let operations = serde_json::from_value(patch.clone()).expect("an RFC 6902 patch");
        let params = PatchParams { field_manager: Some("a-user".into()), ..PatchParams::default() };
        let object = self.api.patch(&self.name, &params, &Patch::Json::<()>(operations)).await?;
        Ok(serde_json::to_value(object).expect("an object is JSON"))
    }

    /// Deletes the object in the background.
    pub async fn delete(&self) {
        let params = DeleteParams::background();
        self.api.delete(&self.name, &params).await.unwrap_or_else(|error| panic!("deleting {self}: {error}"));
    }
}

impl std::fmt::Display for Child {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:?} {}", self.kind, self.name)
    }
}
