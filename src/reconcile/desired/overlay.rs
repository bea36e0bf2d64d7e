//! A user's `podTemplate`, merged into ours by strategic merge: maps merge, keyed lists merge by their keys,
//! other lists are replaced, null removes. See
//! <https://kubernetes.io/docs/tasks/manage-kubernetes-objects/update-api-object-kubectl-patch/#notes-on-the-strategic-merge-patch>.

use k8s_openapi::api::core::v1::PodTemplateSpec;
use serde_json::{Map, Value};
use thiserror::Error;

use crate::objects::compare::difference;
use crate::objects::lists;
use chatcluster_api::Overlay;

/// The directive of a strategic merge that deletes or replaces.
const PATCH: &str = "$patch";

/// The reason for which a `podTemplate` cannot be used. Waits for a person.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum OverlayError {
    /// The overlay has a field with a value that it cannot have.
    #[error("{field} is no part of a pod template: {path}: {message}; correct it or remove it")]
    Malformed {
        /// The field of the spec.
        field: &'static str,
        /// The path in that field.
        path: String,
        /// The fault of the value.
        message: String,
    },
    /// The overlay has a field that pod templates do not have.
    #[error("{field} has a field {path} that pod templates do not have: correct its name or remove it")]
    Unknown {
        /// The field of the spec.
        field: &'static str,
        /// The path in that field.
        path: String,
    },
    /// The overlay changes a field on which the operator relies.
    #[error("{field} must not change {path}, which the operator sets itself: remove it")]
    Protected {
        /// The field of the spec.
        field: &'static str,
        /// The path in that field.
        path: String,
    },
}

/// Merges `overlay` into `template`. `protected`: returns the fields that the result must have as they stand
/// there. `field`: the field of the spec that holds the overlay.
///
/// # Errors
/// If the result is no pod template, or lacks something of `protected`.
pub fn apply(
    template: PodTemplateSpec,
    overlay: Option<&Overlay>,
    protected: impl FnOnce() -> Value,
    field: &'static str,
) -> Result<PodTemplateSpec, OverlayError> {
    let Some(Overlay(overlay)) = overlay else { return Ok(template) };
    let mut merged = to_value(&template);
    merge_maps(&mut merged, overlay, "");
    quantities_as_text(&mut merged);
    let template: PodTemplateSpec = serde_path_to_error::deserialize(&merged).map_err(|error| {
        OverlayError::Malformed { field, path: error.path().to_string(), message: error.inner().to_string() }
    })?;
    let understood = to_value(&template);
    if let Some(lost) = difference(&merged, &understood) {
        return Err(OverlayError::Unknown { field, path: lost.path });
    }
    match difference(&protected(), &understood) {
        Some(changed) => Err(OverlayError::Protected { field, path: changed.path }),
        None => Ok(template),
    }
}

fn to_value(template: &PodTemplateSpec) -> Value {
    serde_json::to_value(template).expect("pod templates have string keys only")
}

fn merge(base: &mut Value, overlay: &Value, path: &str) {
    match overlay {
        Value::Object(fields) => merge_maps(base, fields, path),
        Value::Array(elements) => match lists::keys(path) {
            Some(keys) => merge_lists(base, elements, keys, path),
            None => *base = overlay.clone(),
        },
        _ => *base = overlay.clone(),
    }
}

fn merge_maps(base: &mut Value, overlay: &Map<String, Value>, path: &str) {
    match directive(overlay) {
        Some("replace") => *base = Value::Object(Map::new()),
        Some("delete") => {
            *base = Value::Object(Map::new());
            return;
        }
        _ => {}
    }
    if !base.is_object() {
        *base = Value::Object(Map::new());
    }
    let Some(fields) = base.as_object_mut() else { return };
    for (key, value) in overlay {
        let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
        if value.is_null() {
            fields.remove(key);
        } else if !is_directive(key, value) {
            merge(fields.entry(key.clone()).or_insert(Value::Null), value, &path);
        }
    }
}

fn merge_lists(base: &mut Value, overlay: &[Value], keys: &[&str], path: &str) {
    let replaces = |element: &Value| {
        element.as_object().is_some_and(|map| map.len() == 1 && directive(map) == Some("replace"))
    };
    if !base.is_array() || overlay.iter().any(replaces) {
        *base = Value::Array(Vec::new());
    }
    let Some(elements) = base.as_array_mut() else { return };
    for wanted in overlay.iter().filter(|element| !replaces(element)) {
        let position = elements.iter().position(|element| lists::same(keys, element, wanted));
        let deletes = wanted.as_object().and_then(directive) == Some("delete");
        let path = format!("{path}[{}]", lists::label(keys, wanted));
        match (position, deletes) {
            (Some(position), true) => drop(elements.remove(position)),
            (None, true) => {}
            (Some(position), false) => merge(&mut elements[position], wanted, &path),
            (None, false) => {
                let mut added = Value::Null;
                merge(&mut added, wanted, &path);
                elements.push(added);
            }
        }
    }
}

fn directive(map: &Map<String, Value>) -> Option<&str> {
    map.get(PATCH)?.as_str().filter(|what| ["merge", "replace", "delete"].contains(what))
}

/// True for a directive that was carried out. Any other directive stays, and is reported as a field that pod
/// templates do not have.
fn is_directive(key: &str, value: &Value) -> bool {
    key == PATCH && value.as_str().is_some_and(|what| ["merge", "replace"].contains(&what))
}

/// Turns quantities that are numbers into text: people write `cpu: 1`, and Kubernetes takes it; the type of a
/// quantity is text.
fn quantities_as_text(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (key, value) in fields {
                match value {
                    Value::Object(amounts) if ["limits", "requests", "overhead"].contains(&key.as_str()) => {
                        for amount in amounts.values_mut() {
                            if amount.is_number() {
                                *amount = Value::String(amount.to_string());
                            }
                        }
                    }
                    Value::Number(size) if key == "sizeLimit" => *value = Value::String(size.to_string()),
                    other => quantities_as_text(other),
                }
            }
        }
        Value::Array(elements) => elements.iter_mut().for_each(quantities_as_text),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn ours() -> PodTemplateSpec {
        serde_json::from_value(json!({
            "metadata": {"labels": {"app": "x"}},
            "spec": {
                "containers": [{
                    "name": "hub", "image": "example/hub:1",
                    "env": [{"name": "A", "value": "1"}, {"name": "B", "value": "2"}],
                    "ports": [{"containerPort": 8080, "protocol": "TCP", "name": "http"}],
                    "livenessProbe": {"tcpSocket": {"port": 1}}
                }],
                "volumes": [{"name": "tmp", "emptyDir": {}}]
            }
        }))
        .unwrap()
    }

    fn apply_to_ours(overlay: Value, protected: &Value) -> Result<Value, OverlayError> {
        let overlay: Overlay = serde_json::from_value(overlay).unwrap();
        let applied = apply(ours(), Some(&overlay), || protected.clone(), "hub.podTemplate")?;
        Ok(serde_json::to_value(applied).unwrap())
    }

    #[test]
    fn keyed_lists_merge_and_others_are_replaced() {
        let got = apply_to_ours(
            json!({"metadata": {"annotations": {"note": "n"}}, "spec": {
                "tolerations": [{"operator": "Exists"}],
                "containers": [
                    {"name": "hub", "env": [{"name": "B", "value": "3"}, {"name": "C", "value": "4"}]},
                    {"name": "sidecar", "image": "example/sidecar:1"}
                ]
            }}),
            &json!({}),
        )
        .unwrap();

        assert_eq!(got["metadata"], json!({"labels": {"app": "x"}, "annotations": {"note": "n"}}));
        let containers = &got["spec"]["containers"];
        assert_eq!(containers[0]["image"], "example/hub:1");
        assert_eq!(
            containers[0]["env"],
            json!([{"name": "A", "value": "1"}, {"name": "B", "value": "3"}, {"name": "C", "value": "4"}])
        );
        assert_eq!(containers[1]["name"], "sidecar");
        assert_eq!(got["spec"]["tolerations"], json!([{"operator": "Exists"}]));
    }

    #[test]
    fn null_removes_a_field_and_a_directive_an_element() {
        let got = apply_to_ours(
            json!({"spec": {
                "containers": [{
                    "name": "hub",
                    "env": [{"name": "A", "$patch": "delete"}],
                    "livenessProbe": {"tcpSocket": null, "httpGet": {"port": 2}}
                }],
                "volumes": [{"$patch": "replace"}, {"name": "other", "emptyDir": {}}]
            }}),
            &json!({}),
        )
        .unwrap();

        let hub = &got["spec"]["containers"][0];
        assert_eq!(hub["env"], json!([{"name": "B", "value": "2"}]));
        assert_eq!(hub["livenessProbe"], json!({"httpGet": {"port": 2}}));
        assert_eq!(got["spec"]["volumes"], json!([{"name": "other", "emptyDir": {}}]));
    }

    #[test]
    fn quantities_may_be_numbers() {
        let resources = json!({"limits": {"cpu": 1, "memory": "1Gi"}});
        let got = apply_to_ours(
            json!({"spec": {"containers": [{"name": "hub", "resources": resources}]}}),
            &json!({}),
        );

        assert_eq!(got.unwrap()["spec"]["containers"][0]["resources"]["limits"]["cpu"], "1");
    }

    #[test]
    fn a_field_that_does_not_exist_is_named() {
        let got = apply_to_ours(json!({"spec": {"tolerations": [], "nodeSelektor": {"a": "b"}}}), &json!({}));

        let error = got.unwrap_err();
        assert_eq!(
            error,
            OverlayError::Unknown { field: "hub.podTemplate", path: "spec.nodeSelektor".into() }
        );
    }

    #[test]
    fn a_value_of_the_wrong_type_is_named_with_its_place() {
        let error = apply_to_ours(json!({"spec": {"nodeSelector": {"a": 1}}}), &json!({})).unwrap_err();

        let OverlayError::Malformed { path, .. } = &error else { panic!("{error}") };
        assert_eq!(path, "spec.nodeSelector.a");
    }

    #[test]
    fn what_the_operator_counts_on_stays() {
        let protected = json!({"metadata": {"labels": {"app": "x"}}, "spec": {"containers": [
            {"name": "hub", "env": [{"name": "A", "value": "1"}]}
        ]}});

        let label = apply_to_ours(json!({"metadata": {"labels": {"app": "y"}}}), &protected).unwrap_err();
        let env = json!([{"name": "A", "value": "2"}]);
        let env = apply_to_ours(json!({"spec": {"containers": [{"name": "hub", "env": env}]}}), &protected);
        let gone = json!([{"name": "hub", "$patch": "delete"}]);
        let gone = apply_to_ours(json!({"spec": {"containers": gone}}), &protected).unwrap_err();

        assert!(matches!(label, OverlayError::Protected { path, .. } if path == "metadata.labels.app"));
        let path = "spec.containers[hub].env[A].value";
        assert!(matches!(env.unwrap_err(), OverlayError::Protected { path: p, .. } if p == path));
        assert!(matches!(gone, OverlayError::Protected { path, .. } if path == "spec.containers[hub]"));
    }
}
