//! Reads values.yaml as a table: each value with its default, and the comment above it. The file is our own
//! and in a plain style, so it is read line by line: a level is two spaces, a comment stands right above its
//! value, and lists and maps below a commented value are its default.

use anyhow::{Result, bail, ensure};
use serde_json::Value;
use std::fmt::Write as _;

/// A value that a user may set.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Described {
    /// Such as `image.tag`
    pub(super) path: String,
    /// The default in YAML on one line; empty if it takes more lines.
    default: String,
    description: String,
}

/// Every value with a comment above it. A value without a comment is an error, unless it is a group of
/// values, or part of a default.
pub(super) fn parse(text: &str) -> Result<Vec<Described>> {
    let mut found: Vec<Described> = Vec::new();
    let mut groups: Vec<String> = Vec::new();
    let mut comment = String::new();
    // The depth of the value whose default the lines continue.
    let mut inside: Option<usize> = None;
    for line in text.lines() {
        let (depth, line) = ((line.len() - line.trim_start().len()) / 2, line.trim());
        if line.is_empty() {
            comment.clear();
            inside = None;
        } else if let Some(words) = line.strip_prefix('#') {
            ensure!(inside.is_none_or(|at| depth <= at), "a comment within a default: {line}");
            inside = None;
            if !comment.is_empty() {
                comment.push(' ');
            }
            comment.push_str(words.trim());
        } else if inside.is_none_or(|at| depth <= at) {
            // A deeper line belongs to the default.
            let Some((key, default)) = line.split_once(':') else { bail!("neither key nor comment: {line}") };
            groups.truncate(depth);
            let path = [&groups[..], &[key.to_owned()]].concat().join(".");
            if comment.is_empty() {
                ensure!(default.trim().is_empty(), "{path} has no comment above it in values.yaml");
                groups.push(key.to_owned());
                inside = None;
            } else {
                let (default, description) = (default.trim().to_owned(), std::mem::take(&mut comment));
                found.push(Described { path, default, description });
                inside = Some(depth);
            }
        }
    }
    Ok(found)
}

/// The values as a table in Markdown.
pub(super) fn table(values: &[Described]) -> String {
    let mut table = "| value | default | what it is |\n|---|---|---|\n".to_owned();
    for Described { path, default, description } in values {
        let default = if default.is_empty() { "see values.yaml".to_owned() } else { format!("`{default}`") };
        // Writing to a String cannot fail.
        let _ = writeln!(table, "| `{path}` | {default} | {} |", description.replace('|', "\\|"));
    }
    table
}

/// True if the schema describes the value.
pub(super) fn is_in(schema: &Value, path: &str) -> bool {
    !path.split('.').fold(schema, |node, name| &node["properties"][name]).is_null()
}

/// The values that the schema describes and `values` lacks.
pub(super) fn undescribed(schema: &Value, values: &[Described]) -> Vec<String> {
    let mut leaves = Vec::new();
    collect(schema, "", &mut leaves);
    // Helm adds `global` by itself.
    leaves.retain(|leaf| leaf != "global" && !values.iter().any(|value| value.path == *leaf));
    leaves
}

fn collect(node: &Value, path: &str, leaves: &mut Vec<String>) {
    let Some(properties) = node["properties"].as_object() else {
        leaves.push(path.to_owned());
        return;
    };
    for (name, node) in properties {
        let path = if path.is_empty() { name.clone() } else { format!("{path}.{name}") };
        collect(node, &path, leaves);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    const VALUES: &str = "\
# Of the file.

image:
  # The image,
  # without tag.
  repository: localhost/operator
  # Its tag.
  tag: \"\"

# What it may use.
resources:
  requests:
    cpu: 20m
";

    #[test]
    fn a_comment_describes_what_is_below_it() {
        let values = parse(VALUES).unwrap();

        let paths: Vec<_> = values.iter().map(|value| value.path.as_str()).collect();
        assert_eq!(paths, ["image.repository", "image.tag", "resources"]);
        assert_eq!(values[0].description, "The image, without tag.");
        assert!(table(&values).ends_with(
            "| `image.tag` | `\"\"` | Its tag. |\n| `resources` | see values.yaml | What it may use. |\n"
        ));
    }

    #[test]
    fn a_value_without_a_comment_is_named() {
        let error = parse("image:\n  # It.\n  tag: a\n  digest: b\n").unwrap_err().to_string();

        assert!(error.starts_with("image.digest has no comment"), "{error}");
    }

    #[test]
    fn schema_and_values_name_the_same() {
        let values = parse(VALUES).unwrap();
        let leaf = json!({});
        let schema = json!({"properties": {
            "global": leaf, "resources": leaf, "hold": leaf,
            "image": {"properties": {"repository": leaf, "tag": leaf}},
        }});

        assert!(values.iter().all(|value| is_in(&schema, &value.path)));
        assert!(!is_in(&schema, "image.digest"));
        assert_eq!(undescribed(&schema, &values), ["hold"]);
    }
}
