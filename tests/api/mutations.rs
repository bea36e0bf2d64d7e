//! What someone might do to a field: other values of its type, its removal, and more of what it is made of.

use serde_json::{Value, json};

use crate::owned::{Leaf, Step, escaped, find, path};

/// One change to one object, as an RFC 6902 patch.
#[derive(Clone, Debug)]
pub(crate) struct Mutation {
    /// The field, as the operator names it.
    pub(crate) path: String,
    /// Several ways to do it: the first that the API server takes is enough.
    pub(crate) ways: Vec<Value>,
}

/// Values that stand for each other: where one is valid, another mostly is too.
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

/// All that is to be tried on a leaf of this object.
pub(crate) fn of(leaf: &Leaf, object: &Value) -> Vec<Mutation> {
    let mut all = Vec::new();
    match find(object, &leaf.steps) {
        None => all.extend(added(leaf, object)),
        Some((pointer, value)) => {
            all.push(mutation(leaf.path(), vec![json!({"op": "remove", "path": pointer})]));
            if !leaf.element {
                inside(&mut leaf.steps.clone(), &pointer, value, &mut all);
            }
        }
    }
    all
}

/// Changes to a value and to all that it is made of.
fn inside(steps: &mut Vec<Step>, pointer: &str, value: &Value, all: &mut Vec<Mutation>) {
    match value {
        Value::Array(items) => {
            for (index, item) in items.iter().enumerate() {
                steps.push(Step::Index(index));
                inside(steps, &format!("{pointer}/{index}"), item, all);
                steps.pop();
            }
            let more = items.iter().flat_map(|item| others(item)).chain(items.iter().cloned());
            let more = more.chain([json!({})]);
            all.push(mutation(path(steps), more.map(|v| add(&format!("{pointer}/-"), v)).collect()));
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
            // A map of the user's words takes another; a struct refuses it, and the mutation is none.
            if fields.values().all(Value::is_string) {
                all.push(mutation(
                    path(steps),
                    vec![add(&format!("{pointer}/example.com~1more"), json!("x"))],
                ));
            }
        }
        scalar => {
            let replace = |value| json!({"op": "replace", "path": pointer, "value": value});
            all.push(mutation(path(steps), others(scalar).into_iter().map(replace).collect()));
        }
    }
}

/// Of a field that we own and that is empty: something in it.
fn added(leaf: &Leaf, object: &Value) -> Option<Mutation> {
    let (name, parent) = leaf.steps.split_last()?;
    let Step::Field(name) = name else { return None };
    let (pointer, _) = find(object, parent)?;
    let something = match name.as_str() {
        "externalIPs" => json!(["192.0.2.1"]),
        "egress" => json!([{}]),
        _ => return None,
    };
    Some(mutation(leaf.path(), vec![add(&format!("{pointer}/{name}"), something)]))
}

/// Other values of the same type.
fn others(value: &Value) -> Vec<Value> {
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
        all.push(format!("{}{}", number + 1, &text[digits..])); // 50m, 25%, 192.0.2.0/24
    }
    all.push(format!("{text}x"));
    all.push("b3RoZXI=".to_owned()); // base64, for what must be
    all
}

fn mutation(path: String, ways: Vec<Value>) -> Mutation {
    Mutation { path, ways }
}

fn add(pointer: &str, value: Value) -> Value {
    json!({"op": "add", "path": pointer, "value": value})
}
