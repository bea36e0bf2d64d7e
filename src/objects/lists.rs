//! The lists and maps in Kubernetes' objects that are not simply merged field by field: lists whose elements
//! are told apart by keys, and maps that are one value. By these, objects are compared and pod templates
//! merged.
//!
//! Each place is the name of a field and of the field, or list, that it stands in. The tables are those of
//! the API server's OpenAPI documents, of all kinds that the operator writes; the test `lists` in `tests/api`
//! fails where they differ, and says how they should be.

use serde_json::Value;

/// The lists whose elements are told apart by keys (`x-kubernetes-list-map-keys`), and their keys.
#[rustfmt::skip]
pub const KEYED: &[(&str, &str, &[&str])] = &[
    ("containers", "env", &["name"]),
    ("containers", "ports", &["containerPort", "protocol"]),
    ("containers", "volumeDevices", &["devicePath"]),
    ("containers", "volumeMounts", &["mountPath"]),
    ("ephemeralContainers", "env", &["name"]),
    ("ephemeralContainers", "ports", &["containerPort", "protocol"]),
    ("ephemeralContainers", "volumeDevices", &["devicePath"]),
    ("ephemeralContainers", "volumeMounts", &["mountPath"]),
    ("initContainers", "env", &["name"]),
    ("initContainers", "ports", &["containerPort", "protocol"]),
    ("initContainers", "volumeDevices", &["devicePath"]),
    ("initContainers", "volumeMounts", &["mountPath"]),
    ("metadata", "ownerReferences", &["uid"]),
    ("resources", "claims", &["name"]),
    ("spec", "containers", &["name"]),
    ("spec", "ephemeralContainers", &["name"]),
    ("spec", "hostAliases", &["ip"]),
    ("spec", "imagePullSecrets", &["name"]),
    ("spec", "initContainers", &["name"]),
    ("spec", "ports", &["port", "protocol"]),
    ("spec", "resourceClaims", &["name"]),
    ("spec", "schedulingGates", &["name"]),
    ("spec", "topologySpreadConstraints", &["topologyKey", "whenUnsatisfiable"]),
    ("spec", "volumes", &["name"]),
];

/// The maps that are one value (`x-kubernetes-map-type: atomic`).
#[rustfmt::skip]
pub const ATOMIC: &[(&str, &str)] = &[
    ("cephfs", "secretRef"),
    ("cinder", "secretRef"),
    ("clusterTrustBundle", "labelSelector"),
    ("csi", "nodePublishSecretRef"),
    ("flexVolume", "secretRef"),
    ("from", "namespaceSelector"),
    ("from", "podSelector"),
    ("iscsi", "secretRef"),
    ("items", "fieldRef"),
    ("items", "resourceFieldRef"),
    ("metric", "selector"),
    ("nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution"),
    ("podAffinityTerm", "labelSelector"),
    ("podAffinityTerm", "namespaceSelector"),
    ("preferredDuringSchedulingIgnoredDuringExecution", "preference"),
    ("rbd", "secretRef"),
    ("requiredDuringSchedulingIgnoredDuringExecution", "labelSelector"),
    ("requiredDuringSchedulingIgnoredDuringExecution", "namespaceSelector"),
    ("scaleIO", "secretRef"),
    ("spec", "dataSource"),
    ("spec", "nodeSelector"),
    ("spec", "podSelector"),
    ("spec", "selector"),
    ("storageos", "secretRef"),
    ("to", "namespaceSelector"),
    ("to", "podSelector"),
    ("topologySpreadConstraints", "labelSelector"),
    ("valueFrom", "configMapKeyRef"),
    ("valueFrom", "fieldRef"),
    ("valueFrom", "fileKeyRef"),
    ("valueFrom", "resourceFieldRef"),
    ("valueFrom", "secretKeyRef"),
];

/// Returns the keys by which elements of the list at `path` (such as `spec.template.spec.containers`) are
/// told apart; `None` where the list is one value.
pub fn keys(path: &str) -> Option<&'static [&'static str]> {
    let place = place(path);
    KEYED.iter().find(|(parent, field, _)| (*parent, *field) == place).map(|(.., keys)| *keys)
}

/// True if the map at `path` is one value: another's extra key is a difference, too.
pub fn is_atomic(path: &str) -> bool {
    ATOMIC.contains(&place(path))
}

/// True if two elements of a list with those keys are the same one.
pub fn same(keys: &[&str], one: &Value, other: &Value) -> bool {
    keys.iter().all(|key| match (*key, one.get(*key), other.get(*key)) {
        // An element that leaves it out gets it from the API server.
        ("protocol", one, other) => protocol(one) == protocol(other),
        (_, one, other) => one == other,
    })
}

/// Returns the value of the first key, by which a path names the element.
pub fn label(keys: &[&str], element: &Value) -> String {
    match element.get(keys[0]) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// Returns the last segment of a path.
pub fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

/// Returns the last segment of a path and the name of the one before, without the label of an element.
fn place(path: &str) -> (&str, &str) {
    let (before, field) = path.rsplit_once('.').unwrap_or(("", path));
    // The label may have dots.
    let list = before.strip_suffix(']').and_then(|labelled| labelled.rsplit_once('['));
    (last(list.map_or(before, |(list, _)| list)), field)
}

fn protocol(named: Option<&Value>) -> &str {
    named.and_then(Value::as_str).unwrap_or("TCP")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_is_known_by_its_place_and_not_by_its_name_alone() {
        assert_eq!(keys("spec.ports"), Some(&["port", "protocol"][..]));
        assert_eq!(
            keys("spec.template.spec.containers[hub].ports"),
            Some(&["containerPort", "protocol"][..])
        );
        assert_eq!(keys("spec.ingress[0].ports"), None);
        assert_eq!(keys("spec.containers[hub].resources.claims"), Some(&["name"][..]));
    }

    #[test]
    fn a_map_is_known_by_its_place_and_not_by_its_name_alone() {
        assert!(is_atomic("spec.selector") && is_atomic("spec.volumes[data].cinder.secretRef"));
        assert!(is_atomic("spec.topologySpreadConstraints[topology.kubernetes.io/zone].labelSelector"));
        assert!(!is_atomic("metadata.selector") && !is_atomic("spec.containers[hub].envFrom[0].secretRef"));
    }
}
