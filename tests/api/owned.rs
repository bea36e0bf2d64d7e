//! The fields of an object that a field manager owns, as the API server itself records them in
//! `metadata.managedFields`:
//! <https://kubernetes.io/docs/reference/using-api/server-side-apply/#field-management>.

use serde_json::{Map, Value, json};

/// One step of a path into an object. The path stays valid when others change the object's lists.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Step {
    /// A field of an object.
    Field(String),
    /// The element of a keyed list that has these keys.
    Key(Map<String, Value>),
    /// The element of a list that counts as one value, by its index.
    Index(usize),
}

/// A field that is owned as a whole: a plain value, an atomic list or map, or the presence of a list's
/// element.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Leaf {
    pub(crate) steps: Vec<Step>,
    /// True if only the presence is owned, as for a list's element whose fields are leaves of their own.
    pub(crate) presence: bool,
}

impl Leaf {
    /// The path as the operator names it: `spec.template.spec.containers[hub].image`.
    pub(crate) fn path(&self) -> String {
        path(&self.steps)
    }

    /// The value in this object. For an element, and for an empty value, only its presence: `true`.
    pub(crate) fn of(&self, object: &Value) -> Option<Value> {
        let value = find(object, &self.steps)?.1;
        Some(if self.presence { Value::Bool(true) } else { value.clone() })
    }
}

/// The leaves that `manager` has applied, sorted by name.
pub(crate) fn owned(object: &Value, manager: &str) -> Vec<Leaf> {
    let managers = object["metadata"]["managedFields"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mut leaves = Vec::new();
    for entry in managers {
        if entry["manager"] == manager && entry["operation"] == "Apply" && entry["subresource"].is_null() {
            walk(&entry["fieldsV1"], &mut Vec::new(), &mut leaves);
        }
    }
    for leaf in &mut leaves {
        leaf.presence |= find(object, &leaf.steps).is_some_and(|(_, value)| *value == json!({}));
    }
    leaves
}

fn walk(fields: &Value, steps: &mut Vec<Step>, leaves: &mut Vec<Leaf>) {
    let fields = fields.as_object().expect("fieldsV1 is made of objects");
    if fields.is_empty() {
        leaves.push(Leaf { steps: steps.clone(), presence: false });
    }
    for (key, inside) in fields {
        let step = match key.split_once(':') {
            Some(("f", name)) => Step::Field(name.to_owned()),
            Some(("k", keys)) => Step::Key(serde_json::from_str(keys).expect("keys are JSON")),
            None if key == "." => {
                if let Some(Step::Key(_)) = steps.last() {
                    leaves.push(Leaf { steps: steps.clone(), presence: true });
                }
                continue;
            }
            _ => panic!("{key}: no list of ours is a set"),
        };
        steps.push(step);
        walk(inside, steps, leaves);
        steps.pop();
    }
}

/// The path of the steps, as the operator names a field.
pub(crate) fn path(steps: &[Step]) -> String {
    let mut path = String::new();
    for step in steps {
        match step {
            Step::Field(name) if path.is_empty() => path.push_str(name),
            Step::Field(name) => path.extend([".", name]),
            Step::Index(index) => path.extend(["[", &index.to_string(), "]"]),
            Step::Key(keys) => {
                let first = keys.values().next().expect("a list is keyed by something");
                let label = first.as_str().map_or_else(|| first.to_string(), str::to_owned);
                path.extend(["[", &label, "]"]);
            }
        }
    }
    path
}

/// The place to which the steps lead in this object, as a JSON pointer (RFC 6901), and its value.
pub(crate) fn find<'a>(object: &'a Value, steps: &[Step]) -> Option<(String, &'a Value)> {
    let (mut pointer, mut value) = (String::new(), object);
    for step in steps {
        match step {
            Step::Field(name) => {
                value = value.get(name)?;
                pointer.extend(["/", &escaped(name)]);
            }
            Step::Index(index) => {
                value = value.get(*index)?;
                pointer.extend(["/", &index.to_string()]);
            }
            Step::Key(keys) => {
                let same =
                    |element: &Value| keys.iter().all(|(key, wanted)| element.get(key) == Some(wanted));
                let index = value.as_array()?.iter().position(same)?;
                value = &value[index];
                pointer.extend(["/", &index.to_string()]);
            }
        }
    }
    Some((pointer, value))
}

/// A name escaped for a JSON pointer.
pub(crate) fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}
