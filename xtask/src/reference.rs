//! `docs/reference/spec.md`, generated from the CRD: every field with its type, default, description, rules.

use anyhow::{Context, Result};
use serde_json::Value;
use std::fmt::Write as _;

const HEAD: &str = "\
<!-- Generated from the CRD: regenerate with `cargo xtask crds`. -->
# Reference: ChatCluster

The kind `ChatCluster` of `chatcluster.dev/v1alpha1`, with the short name `chat`, is namespaced. Every field of the spec is
optional. `kubectl explain chatcluster.spec.hub` shows the same descriptions in a terminal, for the version that is installed.
The list below a table has the messages with which the API server refuses an invalid object.
";

const TAIL: &str = "
## Annotations of a ChatCluster

| annotation | value and effect |
|---|---|
| `chatcluster.dev/restart-hub` | Any text. When it changes, the hub pods are replaced one after another. |
| `chatcluster.dev/restart-redis` | Any text. When it changes, Redis restarts. |

## Field selectors

`kubectl get chat --field-selector spec.paused=true` lists the ChatClusters that are paused. The fields `spec.eventKey` and
`spec.service.type` can be selected in the same way.

## Conditions

[Operations](../operations.md) explains each condition, its reasons, and what to do.
";

/// The fields with a type of Kubernetes itself, whose own fields are not listed.
const KUBERNETES: [(&str, &str); 4] = [
    ("hub.env", "EnvVar"),
    ("hub.envFrom", "EnvFromSource"),
    ("hub.imagePullSecrets", "LocalObjectReference"),
    ("status.conditions", "Condition"),
];

/// Returns the page, generated from the CRD as YAML.
pub(crate) fn page(crd: &str) -> Result<String> {
    let crd: Value = serde_saphyr::from_str(crd).context("the CRD is YAML")?;
    let schema = &crd["spec"]["versions"][0]["schema"]["openAPIV3Schema"];
    let mut page = HEAD.to_owned();
    rules(&mut page, &[schema]);
    section(&mut page, "spec", &schema["properties"]["spec"], false);
    for (name, part) in properties(&schema["properties"]["spec"]) {
        if !part["properties"].is_null() {
            section(&mut page, name, part, true);
        }
    }
    section(&mut page, "status", &schema["properties"]["status"], true);
    page.push_str(TAIL);
    Ok(page)
}

fn section(page: &mut String, name: &str, part: &Value, deep: bool) {
    let title = if name == "spec" || name == "status" { name.to_owned() } else { format!("spec.{name}") };
    let prefix = if name == "spec" { String::new() } else { format!("{name}.") };
    let mut rows = Vec::new();
    let mut schemas = vec![part];
    collect(&prefix, part, deep, &mut rows, &mut schemas);
    // Writing to a String cannot fail.
    let _ = write!(
        page,
        "\n## {title}\n\n{}\n\n| field | type | default | description |\n|---|---|---|---|\n",
        text(part)
    );
    for row in rows {
        let _ = writeln!(page, "{row}");
    }
    rules(page, &schemas);
}

/// Collects the rows for the fields of an object, and the schemas whose rules belong to them.
fn collect<'a>(
    prefix: &str,
    object: &'a Value,
    deep: bool,
    rows: &mut Vec<String>,
    schemas: &mut Vec<&'a Value>,
) {
    for (name, field) in properties(object) {
        let path = format!("{prefix}{name}");
        let unfolds = deep && !field["properties"].is_null() && name != "resources";
        let shown = field["properties"].is_null() || name == "resources";
        let default = if !shown || field["default"].is_null() || field["default"] == "" {
            String::new()
        } else {
            format!("`{}`", field["default"].to_string().trim_matches('"'))
        };
        rows.push(format!("| `{path}` | {} | {default} | {} |", type_of(&path, field), text(field)));
        if unfolds {
            schemas.push(field);
            collect(&format!("{path}."), field, deep, rows, schemas);
        } else if deep || field["properties"].is_null() {
            schemas.push(field);
        }
    }
}

fn properties(object: &Value) -> impl Iterator<Item = (&str, &Value)> {
    object["properties"].as_object().into_iter().flatten().map(|(name, field)| (name.as_str(), field))
}

fn type_of(path: &str, field: &Value) -> String {
    if let Some(values) = field["enum"].as_array() {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).map(|v| format!("`{v}`")).collect();
        return values.join(", ");
    }
    let most = |name: &str, unit: &str| {
        field[name].as_u64().map(|most| format!(" (at most {most}{unit})")).unwrap_or_default()
    };
    if let Some((_, kind)) = KUBERNETES.iter().find(|(known, _)| *known == path) {
        return format!("list{} of `{kind}`", most("maxItems", ""));
    }
    if path.ends_with(".resources") {
        return "`ResourceRequirements`".to_owned();
    }
    if path.ends_with("podTemplate") {
        return "part of a `PodTemplateSpec`".to_owned();
    }
    match field["type"].as_str().unwrap_or_default() {
        "integer" => match (field["minimum"].as_f64(), field["maximum"].as_f64()) {
            (Some(least), Some(most)) => format!("integer, {least} to {most}"),
            _ => "integer".to_owned(),
        },
        "string" => {
            let pattern = field["pattern"].as_str().map(|pattern| pattern.replace('|', "\\|"));
            let pattern = pattern.map(|pattern| format!(", matching `{pattern}`")).unwrap_or_default();
            format!("string{}{pattern}", most("maxLength", " characters"))
        }
        "array" => format!("list{} of {}", most("maxItems", ""), type_of("", &field["items"])),
        "object" if !field["additionalProperties"].is_null() => {
            format!("map{} of strings", most("maxProperties", ""))
        }
        other => other.to_owned(),
    }
}

fn text(field: &Value) -> String {
    field["description"].as_str().unwrap_or_default().replace('\n', " ").replace('|', "\\|")
}

/// Lists the messages of the rules of these schemas.
fn rules(page: &mut String, schemas: &[&Value]) {
    let messages = schemas
        .iter()
        .flat_map(|schema| schema["x-kubernetes-validations"].as_array().into_iter().flatten())
        .filter_map(|rule| rule["message"].as_str());
    let lines: Vec<String> = messages.map(|message| format!("- {message}\n")).collect();
    if !lines.is_empty() {
        page.push('\n');
        page.push_str(&lines.concat());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_has_its_type_its_default_its_words_and_its_rule() {
        let crd = "
spec:
  versions:
  - schema:
      openAPIV3Schema:
        properties:
          spec:
            properties:
              hub:
                description: The hubs.
                properties:
                  replicas: {type: integer, minimum: 0, maximum: 9, default: 2, description: How many.}
                  kind: {type: string, enum: [A, B], description: Which.}
                x-kubernetes-validations:
                - {rule: 'true', message: not so many}
";
        let page = page(crd).unwrap();

        assert!(page.contains("| `hub.replicas` | integer, 0 to 9 | `2` | How many. |"), "{page}");
        assert!(page.contains("| `hub.kind` | `A`, `B` |  | Which. |"), "{page}");
        assert!(page.contains("- not so many\n"), "{page}");
    }
}
