//! The write requests, each as narrow as Kubernetes allows.

use std::fmt::Debug;

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use kube::Api;
use kube::api::{Patch, PatchParams};
use serde::Serialize;
use serde_json::{Value, json};

use super::decide::Child;
use crate::store::undecoded::Undecoded;
use chatcluster_api::names::OPERATOR;

/// The field manager to which the number of replicas is left when an autoscaler takes over. It applies the
/// number once and never again, so that the operator no longer owns the number, and yet it stays when the
/// operator's ownership ends. See
/// <https://kubernetes.io/docs/reference/using-api/server-side-apply/#transferring-ownership>.
const REPLICAS: &str = "chatcluster-operator-replicas";

/// Creates an object that must not exist yet. An apply that names a resource version creates a missing object
/// all the same, and conflicts with an existing one, whose version is never 1: one request that cannot take
/// over an object that is not ours.
pub(super) async fn create<K: Child>(
    api: &Api<Undecoded<K>>,
    name: &str,
    value: &Value,
) -> Result<Undecoded<K>, kube::Error> {
    let mut value = value.clone();
    value["metadata"]["resourceVersion"] = "1".into();
    patch(api, name, &PatchParams::apply(OPERATOR), &Patch::Apply(value)).await
}

/// Applies `value` to this very object, not to another that has taken its name meanwhile.
///
/// Where someone has renamed an element of a keyed list (a Service's port), an apply would put ours beside
/// theirs, which the API server refuses. Then our lists replace theirs as a whole.
pub(super) async fn overwrite<K: Child>(
    api: &Api<Undecoded<K>>,
    name: &str,
    mut value: Value,
    uid: Option<String>,
) -> Result<Undecoded<K>, kube::Error> {
    value["metadata"]["uid"] = uid.into();
    match patch(api, name, &PatchParams::apply(OPERATOR).force(), &Patch::Apply(&value)).await {
        Err(kube::Error::Api(status)) if status.code == 422 => {
            let by = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
            patch(api, name, &by, &Patch::Merge(&value)).await
        }
        result => result,
    }
}

/// Leaves the number of replicas to the autoscaler. If another field manager owns the number already, the
/// request conflicts.
pub(super) async fn hand_over_replicas(
    api: &Api<Undecoded<Deployment>>,
    name: &str,
    replicas: i64,
) -> Result<Undecoded<Deployment>, kube::Error> {
    let number = json!({"apiVersion": "apps/v1", "kind": "Deployment", "spec": {"replicas": replicas}});
    patch(api, name, &PatchParams::apply(REPLICAS), &Patch::Apply(number)).await
}

/// Has the claim request the size `size`.
pub(super) async fn expand(
    api: &Api<Undecoded<PersistentVolumeClaim>>,
    name: &str,
    uid: &str,
    size: &str,
) -> Result<Undecoded<PersistentVolumeClaim>, kube::Error> {
    let by = PatchParams { field_manager: Some(OPERATOR.to_owned()), ..PatchParams::default() };
    let more = json!({"metadata": {"uid": uid}, "spec": {"resources": {"requests": {"storage": size}}}});
    patch(api, name, &by, &Patch::Merge(more)).await
}

/// Sends a patch without field validation, for which the API server would parse the object a second time. An
/// apply is held against the schema without that, and the objects are of Kubernetes' own types.
async fn patch<K: Child, P: Serialize + Debug>(
    api: &Api<Undecoded<K>>,
    name: &str,
    params: &PatchParams,
    patch: &Patch<P>,
) -> Result<Undecoded<K>, kube::Error> {
    let params = params.clone().validation_ignore();
    api.patch(name, &params, patch).await
}

pub(super) fn is_conflict(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 409)
}

pub(super) fn is_not_found(error: &kube::Error) -> bool {
    matches!(error, kube::Error::Api(status) if status.code == 404)
}
