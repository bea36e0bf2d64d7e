//! The operator's tables of keyed lists and atomic maps are what the API server's OpenAPI documents say.

use std::collections::BTreeMap;

use chatcluster::objects::lists::{ATOMIC, KEYED};
use serde_json::Value;

use crate::support::{Kind, kubectl};

/// The kinds that the operator writes.
const KINDS: [Kind; 8] = [
    Kind::ConfigMap,
    Kind::Deployment,
    Kind::HorizontalPodAutoscaler,
    Kind::NetworkPolicy,
    Kind::PodDisruptionBudget,
    Kind::Secret,
    Kind::Service,
    Kind::StatefulSet,
];

/// How a list or a map is merged.
#[derive(Clone, Debug, PartialEq)]
enum Merge {
    /// Its elements are told apart by these keys.
    ByKeys(Vec<String>),
    /// It is a map and one value.
    AsOne,
    /// It is another list, which is one value, or a map that is merged field by field.
    AsUsual,
}

/// Each list and map, by the name of the field, or list, that it stands in, and its own.
type Places = BTreeMap<(String, String), Merge>;

#[tokio::test]
async fn the_tables_of_lists_and_maps_are_those_of_the_api_server() {
    let mut places = Places::new();
    for kind in KINDS {
        let resource = kind.resource();
        let root = if resource.group.is_empty() { "api" } else { "apis" };
        let path = format!("/openapi/v3/{root}/{}", resource.api_version);
        let document = kubectl(&["get", "--raw", &path]).await.expect("an OpenAPI document");
        let document: Value = serde_json::from_str(&document).expect("JSON");
        let schemas = document["components"]["schemas"].as_object().expect("schemas");
        let is_kind = |schema: &&Value| {
            let kinds = schema["x-kubernetes-group-version-kind"].as_array();
            kinds.is_some_and(|kinds| kinds.iter().any(|kind| kind["kind"] == *resource.kind))
        };
        let schema = schemas.values().find(is_kind).unwrap_or_else(|| panic!("no schema of {kind:?}"));
        note_fields(&document, schema, "", &mut places);
    }

    let keyed = |(parent, field, keys): &(&str, &str, &[&str])| {
        let keys = keys.iter().map(ToString::to_string).collect();
        ((parent.to_string(), field.to_string()), Merge::ByKeys(keys))
    };
    let atomic = |(parent, field): &(&str, &str)| ((parent.to_string(), field.to_string()), Merge::AsOne);
    let ours: Places = KEYED.iter().map(keyed).chain(ATOMIC.iter().map(atomic)).collect();
    places.retain(|_, merge| *merge != Merge::AsUsual);
    assert_eq!(ours, places);
}

/// Notes what the schema of `field`, which stands in `parent`, says of it and of all that it contains.
fn note(document: &Value, schema: &Value, parent: &str, field: &str, places: &mut Places) {
    let definition = definition(document, schema);
    let says = |what: &str| schema[what].as_str().or_else(|| definition[what].as_str());
    let (merge, fields) = match says("type") {
        Some("array") => {
            let keys = definition["x-kubernetes-list-map-keys"].as_array();
            let keys =
                keys.map(|keys| keys.iter().map(|key| key.as_str().expect("a name").to_owned()).collect());
            (keys.map_or(Merge::AsUsual, Merge::ByKeys), &definition["items"])
        }
        Some("object") if says("x-kubernetes-map-type") == Some("atomic") => (Merge::AsOne, definition),
        Some("object") => (Merge::AsUsual, definition),
        _ => return,
    };
    let before = places.insert((parent.to_owned(), field.to_owned()), merge.clone());
    // Two that differ would have to be told apart by more of their path.
    assert!(before.as_ref().is_none_or(|before| *before == merge), "{parent}.{field}: {before:?}, {merge:?}");
    note_fields(document, fields, field, places);
}

fn note_fields(document: &Value, schema: &Value, parent: &str, places: &mut Places) {
    let fields = definition(document, schema)["properties"].as_object();
    for (field, schema) in fields.into_iter().flatten() {
        // Nobody applies these.
        if !matches!(field.as_str(), "managedFields" | "status") {
            note(document, schema, parent, field, places);
        }
    }
}

/// The schema that this one refers to, or itself.
fn definition<'a>(document: &'a Value, schema: &'a Value) -> &'a Value {
    let reference = schema["$ref"].as_str().or_else(|| schema["allOf"][0]["$ref"].as_str());
    let name = reference.and_then(|reference| reference.rsplit('/').next());
    name.map_or(schema, |name| &document["components"]["schemas"][name])
}
