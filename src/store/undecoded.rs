//! Objects as the JSON that the API server sent. Most versions that a watch delivers are superseded before
//! anything reads them; the others are decoded by their reader.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeOwned, Error as _};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use serde_json::value::RawValue;

/// The JSON of an object, without its managed fields, which nothing reads. Decoded are only the parts of its
/// metadata that identify it: name, namespace, uid, labels, resource version and generation.
pub struct Undecoded<K> {
    metadata: ObjectMeta,
    json: Box<str>,
    kind: PhantomData<fn() -> K>,
}

/// The parts of an object that are cut or looked into.
#[derive(Deserialize)]
struct Object<'a> {
    #[serde(borrow, default)]
    metadata: Option<&'a RawValue>,
    #[serde(borrow, default)]
    spec: Option<&'a RawValue>,
}

/// The parts of an object's metadata that are decoded, and the managed fields, which are cut.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Metadata<'a> {
    name: Option<String>,
    namespace: Option<String>,
    uid: Option<String>,
    resource_version: Option<String>,
    generation: Option<i64>,
    labels: Option<BTreeMap<String, String>>,
    #[serde(borrow, default)]
    managed_fields: Option<&'a RawValue>,
}

impl<K> Undecoded<K> {
    fn new(json: &str) -> Result<Self, serde_json::Error> {
        let object: Object<'_> = serde_json::from_str(json)?;
        let metadata = object.metadata.map(|metadata| serde_json::from_str(metadata.get()));
        let Metadata { name, namespace, uid, resource_version, generation, labels, managed_fields } =
            metadata.transpose()?.unwrap_or_default();
        let metadata = ObjectMeta {
            name,
            namespace,
            uid,
            resource_version,
            generation,
            labels,
            ..ObjectMeta::default()
        };
        let json = managed_fields.map_or_else(|| json.into(), |fields| without(json, fields));
        Ok(Self { metadata, json, kind: PhantomData })
    }

    /// Removes the spec.
    ///
    /// # Panics
    /// Never: it was read before.
    pub fn remove_spec(&mut self) {
        let object: Object<'_> = serde_json::from_str(&self.json).expect("it was read before");
        if let Some(spec) = object.spec {
            self.json = without(&self.json, spec);
        }
    }

    /// The object's JSON.
    pub fn json(&self) -> &str {
        &self.json
    }

    /// The object's JSON, parsed.
    ///
    /// # Panics
    /// Never: it was read before.
    pub fn value(&self) -> Value {
        serde_json::from_str(&self.json).expect("it was read before")
    }
}

impl<K: DeserializeOwned> Undecoded<K> {
    /// The decoded object.
    ///
    /// # Errors
    /// If the JSON does not fit the kind's type.
    pub fn object(&self) -> Result<K, serde_json::Error> {
        serde_json::from_str(&self.json)
    }
}

#[cfg(test)]
impl<K: serde::Serialize> From<&K> for Undecoded<K> {
    /// # Panics
    /// If the object has maps whose keys are not strings, which no Kubernetes type has.
    fn from(object: &K) -> Self {
        let json = serde_json::to_string(object).expect("Kubernetes objects have string keys only");
        Self::new(&json).expect("it was just written")
    }
}

/// `json` with `null` in place of `part`, which must be a slice of `json`.
fn without(json: &str, part: &RawValue) -> Box<str> {
    let part = part.get();
    let begin = part.as_ptr().addr() - json.as_ptr().addr();
    [&json[..begin], "null", &json[begin + part.len()..]].concat().into()
}

impl<'de, K> Deserialize<'de> for Undecoded<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let json = <&RawValue>::deserialize(deserializer)?;
        Self::new(json.get()).map_err(D::Error::custom)
    }
}

impl<K> Clone for Undecoded<K> {
    fn clone(&self) -> Self {
        Self { metadata: self.metadata.clone(), json: self.json.clone(), kind: PhantomData }
    }
}

impl<K> fmt::Debug for Undecoded<K> {
    /// Leaves the content out: it may be a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ObjectMeta { namespace, name, resource_version, .. } = &self.metadata;
        write!(f, "{namespace:?}/{name:?} at {resource_version:?}")
    }
}

impl<K: Resource> Resource for Undecoded<K> {
    type DynamicType = K::DynamicType;
    type Scope = K::Scope;

    fn kind(dt: &K::DynamicType) -> Cow<'_, str> {
        K::kind(dt)
    }

    fn group(dt: &K::DynamicType) -> Cow<'_, str> {
        K::group(dt)
    }

    fn version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::version(dt)
    }

    fn api_version(dt: &K::DynamicType) -> Cow<'_, str> {
        K::api_version(dt)
    }

    fn plural(dt: &K::DynamicType) -> Cow<'_, str> {
        K::plural(dt)
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::core::v1::Pod;
    use kube::ResourceExt;
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::json;

    fn pod() -> Value {
        let managed = json!([{"manager": "x", "fieldsV1": {"f:metadata": {"f:name": {}}}}]);
        json!({
            "apiVersion": "v1", "kind": "Pod",
            "metadata": {
                "annotations": {"managedFields": "a \"note\"", "spec": "é"}, "generation": 3,
                "labels": {"app": "x"}, "managedFields": managed, "name": "lobby-hub-a", "namespace": "team",
                "resourceVersion": "7", "uid": "u"
            },
            "spec": {"containers": [{"name": "hub", "env": [{"name": "spec", "value": "}"}]}]},
            "status": {"phase": "Running"},
        })
    }

    fn without_managed_fields() -> Value {
        let mut pod = pod();
        pod["metadata"]["managedFields"] = Value::Null;
        pod
    }

    #[test]
    fn all_but_the_managed_fields_is_kept_as_it_was() {
        let raw: Undecoded<Pod> = serde_json::from_str(&pod().to_string()).unwrap();

        assert_eq!(raw.value(), without_managed_fields());
        let whole: Pod = serde_json::from_value(without_managed_fields()).unwrap();
        assert_eq!(raw.object().unwrap(), whole);
        let versions = (raw.resource_version(), raw.uid(), raw.metadata.generation);
        assert_eq!(versions, (Some("7".to_owned()), Some("u".to_owned()), Some(3)));
        assert_eq!((raw.name_any(), raw.namespace()), ("lobby-hub-a".to_owned(), Some("team".to_owned())));
        assert_eq!(raw.labels(), whole.labels());
    }

    #[test]
    fn in_lists_and_events_too() {
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [pod()]});
        let list: ObjectList<Undecoded<Pod>> = serde_json::from_str(&list.to_string()).unwrap();
        assert_eq!(list.items[0].value(), without_managed_fields());

        let event = format!(r#"{{"type": "MODIFIED", "object": {}}}"#, pod());
        let event: WatchEvent<Undecoded<Pod>> = serde_json::from_str(&event).unwrap();
        let WatchEvent::Modified(object) = event else { panic!("{event:?}") };
        assert_eq!(object.value(), without_managed_fields());
    }

    #[test]
    fn a_spec_can_be_left_out() {
        let mut reduced: Undecoded<Pod> = serde_json::from_str(&pod().to_string()).unwrap();

        reduced.remove_spec();

        let mut expected = without_managed_fields();
        expected["spec"] = Value::Null;
        assert_eq!(reduced.value(), expected);
        assert_eq!(reduced.object().unwrap().spec, None);
        reduced.remove_spec();
        assert_eq!(reduced.value(), expected);
    }

    #[test]
    fn without_metadata_it_is_an_object_all_the_same() {
        for text in ["{}", r#"{"metadata": null}"#, r#"{"metadata": {"managedFields": null}}"#] {
            let raw: Undecoded<Pod> = serde_json::from_str(text).unwrap();

            assert_eq!((raw.json(), raw.name_any()), (text, String::new()));
        }
    }

    #[test]
    fn what_is_no_object_is_refused() {
        for text in ["7", r#"{"metadata": 7}"#, r#"{"metadata": {"labels": 7}}"#] {
            assert!(serde_json::from_str::<Undecoded<Pod>>(text).is_err(), "{text}");
        }
        let odd: Undecoded<Pod> = serde_json::from_str(r#"{"spec": 7}"#).unwrap();
        assert!(odd.object().is_err());
    }

    #[test]
    fn a_secret_is_not_shown() {
        let text = r#"{"metadata": {"name": "x"}, "data": {"password": "hunter2"}}"#;
        let raw: Undecoded<k8s_openapi::api::core::v1::Secret> = serde_json::from_str(text).unwrap();

        assert!(!format!("{raw:?}").contains("hunter2"));
    }
}
