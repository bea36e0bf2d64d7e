//! Kubernetes' keyed lists: by which fields elements are told apart when objects are compared and merged. From the API
//! description (`x-kubernetes-list-map-keys`).

use serde_json::Value;

/// The keys by which elements of the list at `path` (such as `spec.template.spec.containers`) are told apart; `None`
/// where the list is atomic: one value.
pub fn keys(path: &str) -> Option<&'static [&'static str]> {
    match last(path) {
        "containers" | "initContainers" | "ephemeralContainers" | "volumes" | "env" | "imagePullSecrets" => {
            Some(&["name"])
        }
        "claims" if path.ends_with("resources.claims") => Some(&["name"]),
        "resourceClaims" => Some(&["name"]),
        "volumeMounts" => Some(&["mountPath"]),
        "volumeDevices" => Some(&["devicePath"]),
        "hostAliases" => Some(&["ip"]),
        "ownerReferences" => Some(&["uid"]),
        "topologySpreadConstraints" => Some(&["topologyKey", "whenUnsatisfiable"]),
        "ports" if path == "spec.ports" => Some(&["port", "protocol"]),
        "ports" if path.contains("ontainers[") => Some(&["containerPort", "protocol"]),
        _ => None,
    }
}

/// Whether two elements of a list with those keys are the same one.
pub fn same(keys: &[&str], one: &Value, other: &Value) -> bool {
    keys.iter().all(|key| match (*key, one.get(*key), other.get(*key)) {
        // What an element that leaves it out gets from the API server.
        ("protocol", one, other) => protocol(one) == protocol(other),
        (_, one, other) => one == other,
    })
}

/// The first key's value: how a path names the element.
pub fn label(keys: &[&str], element: &Value) -> String {
    match element.get(keys[0]) {
        Some(Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    }
}

/// The last segment of a path.
pub fn last(path: &str) -> &str {
    path.rsplit('.').next().unwrap_or(path)
}

fn protocol(named: Option<&Value>) -> &str {
    named.and_then(Value::as_str).unwrap_or("TCP")
}
