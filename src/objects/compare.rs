//! Compares an object with its desired state: every desired field must be there with its value (desired ⊆
//! actual), and elements of lists are matched by their merge keys.
//!
//! Additions by the API server or by others (defaults, a status, annotations, a sidecar) are no differences.

use std::fmt;

use serde_json::{Map, Value};

use crate::objects::lists;

/// A place where an object differs from its desired state. It names the field but not the value, which may be
/// a password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The path, such as `spec.template.spec.containers[hub].image`.
    pub path: String,
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.path)
    }
}

/// Returns the first field of `desired` whose value `actual` lacks, if there is one.
pub fn difference(desired: &Value, actual: &Value) -> Option<Difference> {
    differences(desired, actual).into_iter().next()
}

/// Returns all fields of `desired` whose values `actual` lacks.
pub fn differences(desired: &Value, actual: &Value) -> Vec<Difference> {
    let mut found = Vec::new();
    value(desired, actual, "", false, &mut found);
    found.into_iter().map(|path| Difference { path }).collect()
}

/// Compares one value. `whole` says that it is part of an atomic list or map, all of which is ours.
fn value(desired: &Value, actual: &Value, path: &str, whole: bool, found: &mut Vec<String>) {
    match (desired, actual) {
        (Value::Object(desired), Value::Object(actual)) => object(desired, actual, path, whole, found),
        (Value::Array(desired), Value::Array(actual)) => array(desired, actual, path, whole, found),
        (desired, Value::Null) if is_empty(desired, path) || is_dropped(desired, path) => {}
        (Value::String(desired), Value::String(actual)) if same_text(desired, actual, path) => {}
        (desired, actual) if desired != actual => found.push(path.to_owned()),
        _ => {}
    }
}

fn object(
    desired: &Map<String, Value>,
    actual: &Map<String, Value>,
    path: &str,
    whole: bool,
    found: &mut Vec<String>,
) {
    let whole = whole || lists::is_atomic(path);
    if whole {
        let extra = actual.iter().filter(|(key, _)| !desired.contains_key(*key));
        found.extend(extra.filter(|(key, _)| !is_defaulted(key)).map(|(key, _)| join(path, key)));
    }
    for (key, wanted) in desired {
        value(wanted, actual.get(key).unwrap_or(&Value::Null), &join(path, key), whole, found);
    }
}

fn array(desired: &[Value], actual: &[Value], path: &str, whole: bool, found: &mut Vec<String>) {
    let Some(keys) = lists::keys(path) else {
        // An atomic list is one value: an extra element of somebody else is a difference, too.
        if desired.len() != actual.len() {
            found.push(path.to_owned());
            return;
        }
        // A claim template cannot be changed by anyone, and the API server fills in much of it.
        let whole = lists::last(path) != "volumeClaimTemplates";
        for (i, (wanted, is)) in desired.iter().zip(actual).enumerate() {
            value(wanted, is, &format!("{path}[{i}]"), whole, found);
        }
        return;
    };
    for wanted in desired {
        let path = format!("{path}[{}]", lists::label(keys, wanted));
        match actual.iter().find(|other| lists::same(keys, wanted, other)) {
            Some(same) => value(wanted, same, &path, whole, found),
            None => found.push(path),
        }
    }
}

/// True if the value is empty, so that the API server may store nothing for it. An `emptyDir` is not: without
/// it, the volume would be of another kind.
fn is_empty(value: &Value, path: &str) -> bool {
    match value {
        Value::Object(_) if lists::last(path) == "emptyDir" => false,
        Value::Null => true,
        Value::Array(items) => items.is_empty(),
        Value::Object(fields) => fields.is_empty(),
        _ => false,
    }
}

fn join(path: &str, key: &str) -> String {
    if path.is_empty() { key.to_owned() } else { format!("{path}.{key}") }
}

/// True for zero values of fields that are not pointers in the API's Go types: there, zero and absence are
/// the same.
fn is_dropped(desired: &Value, path: &str) -> bool {
    let zero = match desired {
        Value::String(text) => text.is_empty(),
        Value::Bool(is) => !is,
        Value::Number(number) => number.as_i64() == Some(0),
        _ => false,
    };
    let plain = [
        "value",
        "hostNetwork",
        "hostPID",
        "hostIPC",
        "stdin",
        "stdinOnce",
        "tty",
        "readOnly",
        "subPath",
        "subPathExpr",
        "workingDir",
        "prefix",
        "initialDelaySeconds",
        "minReadySeconds",
        "medium",
        "nodeName",
        "hostname",
        "subdomain",
        "priorityClassName",
        "schedulerName",
    ];
    zero && plain.contains(&lists::last(path))
}

/// True for fields that the API server fills in where everything else is ours: in the sources of a projected
/// volume.
fn is_defaulted(key: &str) -> bool {
    matches!(key, "apiVersion" | "divisor" | "expirationSeconds")
}

/// True if the texts are equal or, in the place of a quantity, spell the same one (`1Gi` and `1024Mi`).
fn same_text(desired: &str, actual: &str, path: &str) -> bool {
    desired == actual
        || ((path.contains(".resources.") || path.contains(".sizeLimit"))
            && quantity(desired).is_some_and(|amount| Some(amount) == quantity(actual)))
}

/// Returns a quantity in thousandths. See
/// <https://kubernetes.io/docs/reference/kubernetes-api/common-definitions/quantity/>.
pub fn quantity(text: &str) -> Option<i128> {
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, suffix) = text.split_at(digits);
    let (numerator, denominator): (i128, i128) = match suffix {
        "m" => (1, 1000),
        "" => (1, 1),
        "k" => (1000, 1),
        "M" => (1_000_000, 1),
        "G" => (1_000_000_000, 1),
        "T" => (1_000_000_000_000, 1),
        "P" => (1_000_000_000_000_000, 1),
        "Ki" => (1 << 10, 1),
        "Mi" => (1 << 20, 1),
        "Gi" => (1 << 30, 1),
        "Ti" => (1 << 40, 1),
        "Pi" => (1 << 50, 1),
        _ => return None,
    };
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.len() > 9 {
        return None;
    }
    let scale = 10_i128.pow(u32::try_from(fraction.len()).ok()?);
    let mantissa: i128 = format!("{whole}{fraction}").parse().ok()?;
    let scaled = mantissa.checked_mul(1000)?.checked_mul(numerator)?;
    let divisor = denominator * scale;
    (scaled % divisor == 0).then_some(scaled / divisor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[track_caller]
    fn differs_at(desired: &Value, actual: &Value, path: &str) {
        assert_eq!(difference(desired, actual).map(|d| d.path).as_deref(), Some(path));
    }

    #[test]
    fn what_others_added_makes_no_difference() {
        let desired = json!({"metadata": {"labels": {"a": "1"}}, "spec": {"replicas": 2}});
        let actual = json!({
            "metadata": {"labels": {"a": "1", "team": "x"}, "annotations": {"note": "y"}},
            "spec": {"replicas": 2, "paused": false}, "status": {}
        });

        assert_eq!(difference(&desired, &actual), None);
    }

    #[test]
    fn a_changed_or_missing_field_is_named() {
        let desired = json!({"spec": {"replicas": 2, "type": "ClusterIP"}});

        differs_at(&desired, &json!({"spec": {"replicas": 3, "type": "ClusterIP"}}), "spec.replicas");
        differs_at(&desired, &json!({"spec": {"replicas": 2}}), "spec.type");
    }

    #[test]
    fn keyed_lists_are_compared_by_key_and_others_elements_are_theirs() {
        let list = |env: Value| json!({"spec": {"containers": [{"name": "hub", "env": env}]}});
        let desired = list(json!([{"name": "A", "value": "1"}]));

        let sidecar_and_more = json!({"spec": {"containers": [
            {"name": "sidecar"}, {"name": "hub", "env": [{"name": "B"}, {"name": "A", "value": "1"}]}
        ]}});
        assert_eq!(difference(&desired, &sidecar_and_more), None);
        differs_at(
            &desired,
            &list(json!([{"name": "A", "value": "2"}])),
            "spec.containers[hub].env[A].value",
        );
        differs_at(&desired, &list(json!([])), "spec.containers[hub].env[A]");
    }

    #[test]
    fn an_atomic_list_is_one_value() {
        let desired = json!({"spec": {"ingress": [{"ports": [{"port": 6379}]}]}});
        let opened = json!({"spec": {"ingress": [{"ports": [{"port": 6379}]}, {}]}});

        differs_at(&desired, &opened, "spec.ingress");
    }

    #[test]
    fn whatever_someone_adds_deep_in_an_atomic_list_is_a_difference() {
        let hubs = json!({"podSelector": {"matchLabels": {"app": "hub"}}});
        let rule =
            |from: Value, port: Value| json!({"spec": {"ingress": [{"from": [from], "ports": [port]}]}});
        let desired = rule(hubs.clone(), json!({"port": 6379}));
        let mut everywhere = hubs.clone();
        everywhere["namespaceSelector"] = json!({});

        differs_at(
            &desired,
            &rule(everywhere, json!({"port": 6379})),
            "spec.ingress[0].from[0].namespaceSelector",
        );
        let more_ports = rule(hubs, json!({"port": 6379, "endPort": 7000}));
        differs_at(&desired, &more_ports, "spec.ingress[0].ports[0].endPort");
    }

    #[test]
    fn what_the_api_server_fills_into_a_claim_template_is_no_difference() {
        let claim = |claim: Value| json!({"spec": {"volumeClaimTemplates": [claim]}});
        let desired =
            claim(json!({"metadata": {"name": "data"}, "spec": {"accessModes": ["ReadWriteOnce"]}}));
        let stored = claim(json!({
            "apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data"},
            "spec": {"accessModes": ["ReadWriteOnce"], "volumeMode": "Filesystem"}, "status": {"phase": "Pending"}
        }));

        assert_eq!(difference(&desired, &stored), None);
    }

    #[test]
    fn an_atomic_map_is_one_value() {
        let desired = json!({"spec": {"selector": {"a": "1"}}});

        differs_at(&desired, &json!({"spec": {"selector": {"a": "1", "b": "2"}}}), "spec.selector.b");
        let desired = json!({"spec": {"nodeSelector": {"a": "1"}}});
        differs_at(&desired, &json!({"spec": {"nodeSelector": {"a": "1", "b": "2"}}}), "spec.nodeSelector.b");
    }

    #[test]
    fn an_empty_list_that_is_ours_is_the_same_as_none_and_another_than_a_full_one() {
        let desired = json!({"spec": {"externalIPs": []}});

        assert_eq!(difference(&desired, &json!({"spec": {}})), None);
        differs_at(&desired, &json!({"spec": {"externalIPs": ["192.0.2.1"]}}), "spec.externalIPs");
    }

    #[test]
    fn an_empty_volume_that_became_another_is_a_difference() {
        let volume = |source: &str| json!({"spec": {"volumes": [{"name": "tmp", source: {}}]}});

        assert_eq!(difference(&volume("emptyDir"), &volume("emptyDir")), None);
        differs_at(&volume("emptyDir"), &volume("configMap"), "spec.volumes[tmp].emptyDir");
    }

    #[test]
    fn what_the_api_server_does_not_store_is_no_difference() {
        let env = |value: Value| json!({"spec": {"containers": [{"name": "hub", "env": [value]}]}});

        assert_eq!(difference(&env(json!({"name": "A", "value": ""})), &env(json!({"name": "A"}))), None);
        let mount = json!({"spec": {"automountServiceAccountToken": false}});
        differs_at(&mount, &json!({"spec": {}}), "spec.automountServiceAccountToken");
    }

    #[test]
    fn a_port_without_a_protocol_is_the_tcp_port_that_the_api_server_makes_of_it() {
        let ports = |port: Value| json!({"spec": {"containers": [{"name": "hub", "ports": [port]}]}});

        let stored = ports(json!({"containerPort": 80, "protocol": "TCP"}));
        assert_eq!(difference(&ports(json!({"containerPort": 80})), &stored), None);
    }

    #[test]
    fn two_spellings_of_a_quantity_are_the_same() {
        let with = |q: &str| json!({"resources": {"requests": {"cpu": q}}});
        let container =
            |q: &str| json!({"spec": {"containers": [{"name": "hub", "resources": with(q)["resources"]}]}});

        assert_eq!(difference(&container("0.5"), &container("500m")), None);
        assert_eq!(difference(&container("1024Mi"), &container("1Gi")), None);
        assert!(difference(&container("0.5"), &container("501m")).is_some());
    }
}
