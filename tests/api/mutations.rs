//! Changes that someone might make to a field: other values of its type, its removal, and additions to it.

use serde_json::{Value, json};

use crate::owned::{Leaf, Step, escaped, find, path};

/// One change to one object, as an RFC 6902 patch.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// The field, as the operator names it.
    pub(crate) path: String,
    /// Alternative patches, of one operation or several: the first that the API server accepts is enough.
    pub(crate) ways: Vec<Value>,
}

/// Groups of values: where one is valid, another of its group mostly is, too.
const CHOICES: [&[&str]; 17] = [
    &["ClusterIP", "NodePort", "LoadBalancer"],
    &["TCP", "UDP"],
    &["IfNotPresent", "Always", "Never"],
    &["Retain", "Delete"],
    &["Cluster", "Local"],
    &["None", "ClientIP"],
    &["ScheduleAnyway", "DoNotSchedule"],
    &["RuntimeDefault", "Unconfined"],
    &["FallbackToLogsOnError", "File"],
    &["AlwaysAllow", "IfHealthyBudget"],
    &["RollingUpdate", "Recreate", "OnDelete"],
    &["Ingress", "Egress"],
    &["Exists", "Equal"],
    &["cpu", "memory"],
    &["metadata.name", "metadata.namespace", "status.podIP", "status.hostIP"],
    &["SingleStack", "PreferDualStack"],
    &["NoSchedule", "NoExecute", "PreferNoSchedule"],
];

/// A change that takes several operations, because the API server refuses each alone.
fn together(leaf: &Leaf, object: &Value) -> Option<Value> {
    let (pointer, value) = find(object, &leaf.steps)?;
    let path = leaf.path();
    if path == "spec.strategy.type" {
        return Some(json!([
            {"op": "remove", "path": "/spec/strategy/rollingUpdate"},
            {"op": "replace", "path": pointer, "value": "Recreate"},
        ]));
    }
    if path.ends_with(".emptyDir") {
        return Some(json!([
            {"op": "remove", "path": pointer},
            {"op": "add", "path": pointer.replace("emptyDir", "configMap"), "value": {"name": "other"}},
        ]));
    }
    if leaf.presence && path.contains(".volumes[") {
        let mut operations = Vec::new();
        let containers = object.pointer("/spec/template/spec/containers")?.as_array()?;
        for (number, container) in containers.iter().enumerate() {
            let mounts = container["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
            for index in (0..mounts.len()).rev().filter(|index| mounts[*index]["name"] == value["name"]) {
                let mount = format!("/spec/template/spec/containers/{number}/volumeMounts/{index}");
                operations.push(json!({"op": "remove", "path": mount}));
            }
        }
        operations.push(json!({"op": "remove", "path": pointer}));
        return Some(Value::Array(operations));
    }
    None
}

/// All changes to be tried on a leaf of this object.
pub(crate) fn of(leaf: &Leaf, object: &Value) -> Vec<Mutation> {
    let mut all: Vec<_> =
        together(leaf, object).into_iter().map(|patch| mutation(leaf.path(), vec![patch])).collect();
    match find(object, &leaf.steps) {
        None => all.extend(added(leaf, object)),
        Some((pointer, value)) => {
            all.push(mutation(leaf.path(), vec![json!({"op": "remove", "path": pointer})]));
            if !leaf.presence {
                inside(&mut leaf.steps.clone(), &pointer, value, &mut all);
            }
        }
    }
    all
}

/// Adds changes of a value and of everything inside it.
fn inside(steps: &mut Vec<Step>, pointer: &str, value: &Value, all: &mut Vec<Mutation>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Index(index));
                inside(steps, &format!("{pointer}/{index}"), item, all);
                steps.pop();
            }
            let more = items.iter().flat_map(others).chain(items.iter().cloned());
            let more = more.chain([json!({})]);
            all.push(mutation(path(steps), more.map(|v| add(&format!("{pointer}/-"), &v)).collect()));
            if items.len() > 1 {
                all.push(mutation(
                    path(steps),
                    vec![json!({"op": "remove", "path": format!("{pointer}/0")})],
                ));
            }
        }
        Value::Object(fields) => {
            for (name, field) in fields {
                steps.push(Step::Field(name.clone()));
                inside(steps, &format!("{pointer}/{}", escaped(name)), field, all);
                steps.pop();
            }
            // A map of strings accepts the first addition, and some structs the others.
            let more =
                [("example.com~1more", json!("x")), ("optional", json!(true)), ("endPort", json!(65535))];
            let more = more.into_iter().chain([("namespaceSelector", json!({}))]);
            let more = more.map(|(name, value)| add(&format!("{pointer}/{name}"), &value));
            all.push(mutation(path(steps), more.collect()));
        }
        scalar => {
            let replace = |value| json!({"op": "replace", "path": pointer, "value": value});
            all.push(mutation(path(steps), others(scalar).into_iter().map(replace).collect()));
        }
    }
}

/// An addition to a field that we own and that is empty.
fn added(leaf: &Leaf, object: &Value) -> Option<Mutation> {
    let (name, parent) = leaf.steps.split_last()?;
    let Step::Field(name) = name else { return None };
    let (pointer, _) = find(object, parent)?;
    let something = match name.as_str() {
        "externalIPs" => json!(["192.0.2.1"]),
        "egress" => json!([{}]),
        _ => return None,
    };
    Some(mutation(leaf.path(), vec![add(&format!("{pointer}/{name}"), &something)]))
}

/// Other values of the same type.
pub(crate) fn others(value: &Value) -> Vec<Value> {
    match value {
        Value::Bool(is) => vec![json!(!is)],
        Value::Number(number) => {
            let number = number.as_i64().unwrap_or_default();
            [number + 1, number - 1, 1, 2]
                .into_iter()
                .filter(|other| *other != number)
                .map(Value::from)
                .collect()
        }
        Value::String(text) => texts(text).into_iter().map(Value::from).collect(),
        _ => Vec::new(),
    }
}

fn texts(text: &str) -> Vec<String> {
    let choices = CHOICES.iter().find(|choices| choices.contains(&text)).copied().unwrap_or_default();
    let mut all: Vec<String> =
        choices.iter().filter(|other| **other != text).map(|other| (*other).to_owned()).collect();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    if let Ok(number) = text[..digits].parse::<u64>() {
        all.push(format!("{}{}", number + 1, &text[digits..])); // such as 50m, 25% and 192.0.2.0/24
    }
    all.push(format!("{text}x"));
    all.push("b3RoZXI=".to_owned()); // valid base64, for fields that require it
    all
}

fn mutation(path: String, ways: Vec<Value>) -> Mutation {
    Mutation { path, ways }
}

pub(crate) fn add(pointer: &str, value: &Value) -> Value {
    json!({"op": "add", "path": pointer, "value": value})
}
