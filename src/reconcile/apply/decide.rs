//! The decision on one child: pure, from its desired and its actual state.

use k8s_openapi::NamespaceResourceScope;
use kube::ResourceExt;
use serde::Serialize;
use serde_json::Value;
use sha2::{Digest, Sha256};

use crate::hex::hex;
use crate::objects::compare::{Difference, differences};
use crate::reconcile::validate::{Cluster, owns};
use crate::store::cache::StateHash;
use crate::store::watches::Watched;
use chatcluster_api::names::APPLIED;

/// A kind of child: objects of a namespace that can be applied and are watched.
pub(super) trait Child: Watched<Scope = NamespaceResourceScope> + Serialize {}

impl<K> Child for K where K: Watched<Scope = NamespaceResourceScope> + Serialize {}

/// The action on a child that should exist.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Decision {
    /// None: the child matches its desired state.
    Nothing,
    /// Create the child, which does not exist.
    Create,
    /// None: an object of that name exists and is someone else's.
    Foreign,
    /// None: the child is being deleted, and is recreated when it is gone.
    Terminating,
    /// Write the child, because the spec or the operator's version has changed. The fields are the ones
    /// that differ.
    Update(Vec<Difference>),
    /// Write the child, because someone changed these fields of ours. Never empty.
    Repair(Vec<Difference>),
    /// Delete and recreate the child, because these fields have to change and Kubernetes does not allow that.
    /// Never empty.
    Recreate(Vec<Difference>),
}

impl Decision {
    /// True if the action changes a child that exists.
    pub(super) fn writes(&self) -> bool {
        matches!(self, Self::Update(_) | Self::Repair(_) | Self::Recreate(_))
    }
}

/// A child in its desired state, as it is sent to the API server: with its fingerprint.
pub(super) struct DesiredChild<K> {
    pub(super) name: String,
    pub(super) object: K,
    pub(super) value: Value,
    /// The mark of `object` without its fingerprint.
    pub(super) mark: StateHash,
    fingerprint: String,
}

impl<K: Child> DesiredChild<K> {
    /// Adds the fingerprint to `object`. `mark`: the mark of `object`.
    pub(super) fn new(mut object: K, mark: StateHash) -> Self {
        let mut value = to_value(&object);
        let fingerprint = fingerprint(&value);
        object.annotations_mut().insert(APPLIED.to_owned(), fingerprint.clone());
        value["metadata"]["annotations"][APPLIED] = fingerprint.as_str().into();
        Self { name: object.name_any(), value, object, mark, fingerprint }
    }

    /// Decides on the action. `keeps`: returns true if the API server stored a field of ours as it was last
    /// written.
    pub(super) fn decide(
        &self,
        cluster: &Cluster,
        actual: Option<&K>,
        keeps: impl Fn(&Difference) -> bool,
    ) -> Decision {
        let Some(actual) = actual else { return Decision::Create };
        if !owns(cluster, actual) {
            return Decision::Foreign;
        }
        if actual.meta().deletion_timestamp.is_some() {
            return Decision::Terminating;
        }
        let mut found = differences(&self.value, &to_value(actual));
        found.retain(keeps);
        let fixed: Vec<_> = found.iter().filter(|d| is_immutable(&K::kind(&()), &d.path)).cloned().collect();
        if !fixed.is_empty() {
            return Decision::Recreate(fixed);
        }
        if actual.annotations().get(APPLIED) != Some(&self.fingerprint) {
            found.retain(|difference| !difference.path.ends_with(APPLIED));
            return Decision::Update(found);
        }
        if found.is_empty() { Decision::Nothing } else { Decision::Repair(found) }
    }

    /// True if a write of the child would change the template from which the pods of `actual` are made.
    pub(super) fn changes_template(&self, actual: &K, found: &[Difference]) -> bool {
        let applied = actual.annotations().get(APPLIED).and_then(|applied| applied.split_once('.'));
        let template = self.fingerprint.split_once('.');
        found.iter().any(|difference| difference.path.starts_with("spec.template."))
            // Fields that are only removed are no difference, but they change the fingerprint.
            || applied.is_some_and(|(_, before)| template.is_some_and(|(_, now)| before != now))
    }
}

/// True for a field that Kubernetes does not allow to change:
/// <https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/>.
fn is_immutable(kind: &str, path: &str) -> bool {
    let fields: &[&str] = match kind {
        "StatefulSet" => {
            &["spec.volumeClaimTemplates", "spec.serviceName", "spec.podManagementPolicy", "spec.selector"]
        }
        _ => &[],
    };
    fields.iter().any(|field| path.starts_with(field))
}

/// Returns a hash of the desired state and, after a dot, a hash of the pod template, if there is one.
fn fingerprint(desired: &Value) -> String {
    // This holds for a Secret, too: its annotations are read only by users who may read the Secret.
    let number = |value: &Value| hex(&Sha256::digest(to_json(value))[..8]);
    match desired.pointer("/spec/template") {
        Some(template) => format!("{}.{}", number(desired), number(template)),
        None => number(desired),
    }
}

fn to_json(value: &Value) -> Vec<u8> {
    serde_json::to_vec(value).expect("what is a value already is JSON")
}

pub(super) fn to_value<K: Serialize>(object: &K) -> Value {
    serde_json::to_value(object).expect("Kubernetes objects have string keys only")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::desired::{Children, children};
    use crate::reconcile::validate::UserSecret;
    use crate::reconcile::validate::testing::{auth, cluster, defaults, keys};
    use k8s_openapi::api::apps::v1::{Deployment, StatefulSet};
    use serde_json::json;

    fn all(spec: Value) -> Children {
        let cluster = cluster(spec);
        children(&cluster, &auth(), &keys(&cluster, &UserSecret::NotNamed), &defaults(), true)
    }

    fn desired<K: Child>(object: K) -> DesiredChild<K> {
        let mark = StateHash::of(&object);
        DesiredChild::new(object, mark)
    }

    fn set(spec: Value) -> DesiredChild<StatefulSet> {
        desired(all(spec).redis_set.unwrap())
    }

    fn hub(spec: Value) -> DesiredChild<Deployment> {
        desired(all(spec).hub_deployment.unwrap())
    }

    #[test]
    fn what_is_as_it_was_applied_needs_nothing() {
        let (desired, there) = (hub(json!({})), hub(json!({})));

        assert_eq!(desired.decide(&cluster(json!({})), Some(&there.object), |_| true), Decision::Nothing);
    }

    #[test]
    fn a_bigger_volume_recreates_the_stateful_set_and_restarts_nothing() {
        let bigger = json!({"redis": {"storage": {"size": "2Gi"}}});
        let (desired, there) = (set(bigger.clone()), set(json!({})));

        let decision = desired.decide(&cluster(bigger), Some(&there.object), |_| true);

        let Decision::Recreate(fields) = decision else { panic!("{decision:?}") };
        assert_eq!(fields[0].path, "spec.volumeClaimTemplates[0].spec.resources.requests.storage");
        assert!(!desired.changes_template(&there.object, &fields));
    }

    #[test]
    fn a_field_of_the_pod_that_is_only_removed_restarts_it_too() {
        let before = json!({"hub": {"podTemplate": {"spec": {"priorityClassName": "high"}}}});
        let (desired, there) = (hub(json!({})), hub(before));

        let decision = desired.decide(&cluster(json!({})), Some(&there.object), |_| true);

        assert_eq!(decision, Decision::Update(Vec::new()));
        assert!(desired.changes_template(&there.object, &[]));
    }

    #[test]
    fn more_replicas_restart_nobody() {
        let (desired, there) = (hub(json!({"hub": {"replicas": 3}})), hub(json!({})));

        let decision = desired.decide(&cluster(json!({})), Some(&there.object), |_| true);

        let Decision::Update(fields) = decision else { panic!("{decision:?}") };
        assert_eq!(fields, [Difference { path: "spec.replicas".into() }]);
        assert!(!desired.changes_template(&there.object, &fields));
    }

    #[test]
    fn a_child_without_its_owner_is_known_by_what_we_wrote_on_it() {
        let cluster = cluster(json!({}));
        let mut object = hub(json!({})).object;
        object.metadata.owner_references = None;
        assert!(owns(&cluster, &object));

        object.annotations_mut().clear();
        assert!(!owns(&cluster, &object));
    }

    #[test]
    fn a_field_that_the_api_server_does_not_keep_is_no_drift() {
        let (desired, mut there) = (hub(json!({})), hub(json!({})));
        there.object.spec.as_mut().unwrap().replicas = Some(7);

        let decision =
            desired.decide(&cluster(json!({})), Some(&there.object), |d| d.path != "spec.replicas");

        assert_eq!(decision, Decision::Nothing);
    }
}
