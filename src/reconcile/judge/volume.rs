//! The growth of Redis's volume, where it is needed and possible: pure.

use k8s_openapi::api::core::v1::PersistentVolumeClaim;
use k8s_openapi::api::storage::v1::StorageClass;
use kube::ResourceExt;

use crate::objects::compare::quantity;
use crate::reconcile::validate::Cluster;
use chatcluster_api::Persistence;

/// The change of the volume's size.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Growth {
    /// None: the volume is as big as the spec says, or bigger, or there is none.
    None,
    /// The claim has to request a bigger volume.
    Expand {
        /// The claim's name.
        claim: String,
        /// The claim's uid.
        uid: String,
        /// The size that the claim requests.
        from: String,
        /// The size in the spec.
        to: String,
    },
    /// The claim has no volume yet, and Kubernetes does not change the size before that.
    Unbound {
        /// The size that the claim requests.
        from: String,
    },
    /// The storage class does not let its volumes grow.
    NotExpandable {
        /// The claim's name.
        claim: String,
        /// The size that the claim requests, and keeps.
        from: String,
        /// The size in the spec.
        to: String,
        /// The name of the storage class.
        class: String,
    },
}

impl Growth {
    /// Returns the size that the claim keeps for now, if it is not the spec's.
    pub fn kept_size(&self) -> Option<&str> {
        match self {
            Self::Unbound { from } | Self::NotExpandable { from, .. } => Some(from),
            Self::None | Self::Expand { .. } => None,
        }
    }
}

/// Decides on the growth of the claim, given its storage class (`None`: unknown).
pub fn growth(
    cluster: &Cluster,
    claim: Option<&PersistentVolumeClaim>,
    class: Option<&StorageClass>,
) -> Growth {
    if cluster.spec.redis.persistence == Persistence::None {
        return Growth::None;
    }
    let to = cluster.spec.redis.storage.size.clone();
    let Some((found, from)) = claim.and_then(|claim| Some((claim, requested(claim)?))) else {
        return Growth::None;
    };
    let grows = quantity(&from).is_some_and(|from| quantity(&to).is_some_and(|to| from < to));
    let bound = found.status.as_ref().and_then(|status| status.phase.as_deref()) == Some("Bound");
    let leaving = found.metadata.deletion_timestamp.is_some();
    match (grows && !leaving, bound, class) {
        (false, _, _) => Growth::None,
        (true, false, _) => Growth::Unbound { from },
        (true, true, Some(class)) if class.allow_volume_expansion != Some(true) => {
            Growth::NotExpandable { claim: found.name_any(), from, to, class: class.name_any() }
        }
        // If the class is unknown to the operator, the API server knows it, and refuses what it does not
        // allow.
        (true, true, _) => {
            Growth::Expand { claim: found.name_any(), uid: found.uid().unwrap_or_default(), from, to }
        }
    }
}

/// Returns the size that the claim requests.
fn requested(claim: &PersistentVolumeClaim) -> Option<String> {
    let requests = claim.spec.as_ref()?.resources.as_ref()?.requests.as_ref()?;
    Some(requests.get("storage")?.0.clone())
}

/// Returns a message if the volume is still smaller than its claim requests, with the cause, if the claim has
/// one.
pub(super) fn growth_in_progress(claim: &PersistentVolumeClaim) -> Option<String> {
    let status = claim.status.as_ref()?;
    let (has, asked) = (status.capacity.as_ref()?.get("storage")?.0.clone(), requested(claim)?);
    if quantity(&has)? >= quantity(&asked)? {
        return None;
    }
    let said = status.conditions.iter().flatten().filter(|c| c.status == "True").find_map(|c| {
        let message = c.message.as_deref().filter(|message| !message.is_empty())?;
        Some(format!(" ({}: {message})", c.type_))
    });
    Some(format!("its volume grows from {has} to {asked}{}", said.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reconcile::validate::testing::cluster;
    use serde_json::json;

    fn claim(size: &str, phase: &str) -> PersistentVolumeClaim {
        serde_json::from_value(json!({
            "metadata": {"name": "data-lobby-redis-0", "uid": "c1"},
            "spec": {"resources": {"requests": {"storage": size}}},
            "status": {"phase": phase, "capacity": {"storage": size}}
        }))
        .unwrap()
    }

    fn class(expands: bool) -> StorageClass {
        serde_json::from_value(json!({
            "metadata": {"name": "fast"}, "provisioner": "x", "allowVolumeExpansion": expands
        }))
        .unwrap()
    }

    fn wants(size: &str) -> Cluster {
        cluster(json!({"redis": {"storage": {"size": size}}}))
    }

    #[test]
    fn a_claim_that_asks_for_less_is_expanded() {
        let got = growth(&wants("2Gi"), Some(&claim("1Gi", "Bound")), Some(&class(true)));

        let (claim, uid) = ("data-lobby-redis-0".to_owned(), "c1".to_owned());
        assert_eq!(got, Growth::Expand { claim, uid, from: "1Gi".to_owned(), to: "2Gi".to_owned() });
    }

    #[test]
    fn a_claim_that_asks_for_as_much_or_more_stays() {
        for size in ["1Gi", "1024Mi", "3Gi"] {
            assert_eq!(growth(&wants("1Gi"), Some(&claim(size, "Bound")), None), Growth::None, "{size}");
        }
        assert_eq!(growth(&wants("1Gi"), None, None), Growth::None);
    }

    #[test]
    fn a_class_that_cannot_expand_is_named_and_the_size_stays() {
        let got = growth(&wants("2Gi"), Some(&claim("1Gi", "Bound")), Some(&class(false)));

        assert_eq!(got.kept_size(), Some("1Gi"));
        assert!(matches!(got, Growth::NotExpandable { class, .. } if class == "fast"));
    }

    #[test]
    fn a_claim_without_a_volume_waits_for_it() {
        let got = growth(&wants("2Gi"), Some(&claim("1Gi", "Pending")), Some(&class(true)));

        assert_eq!(got, Growth::Unbound { from: "1Gi".to_owned() });
    }

    #[test]
    fn a_volume_that_is_not_yet_as_big_as_asked_is_told_with_the_reason() {
        let mut growing = claim("2Gi", "Bound");
        growing.status = serde_json::from_value(json!({
            "capacity": {"storage": "1Gi"},
            "conditions": [{"type": "FileSystemResizePending", "status": "True", "message": "waits for the pod"}]
        }))
        .unwrap();

        assert_eq!(
            growth_in_progress(&growing).as_deref(),
            Some("its volume grows from 1Gi to 2Gi (FileSystemResizePending: waits for the pod)")
        );
        assert_eq!(growth_in_progress(&claim("1Gi", "Bound")), None);
    }
}
