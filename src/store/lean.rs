//! Objects as the API server gives them, without `metadata.managedFields`. The operator reads those of no object, and decoded
//! they would be the most of it: a map for each field that anyone has ever set.

use std::borrow::Cow;
use std::marker::PhantomData;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use kube::Resource;
use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, IntoDeserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};

/// An object whose managed fields are passed over where it is read.
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Lean<K>(pub(crate) K);

/// What wraps an object, or stands for one, is of that object's kind; its metadata is said.
macro_rules! of_its_kind {
    ($wrapper:ident, |$object:ident| $meta:expr, $meta_mut:expr) => {
        impl<K: Resource> Resource for $wrapper<K> {
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
                let $object = self;
                $meta
            }

            fn meta_mut(&mut self) -> &mut ObjectMeta {
                let $object = self;
                $meta_mut
            }
        }
    };
}
pub(crate) use of_its_kind;

of_its_kind!(Lean, |lean| lean.0.meta(), lean.0.meta_mut());

impl<'de, K: Deserialize<'de>> Deserialize<'de> for Lean<K> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        K::deserialize(At { inner: deserializer, place: Place::Object }).map(Self)
    }
}

/// Where in an object something is.
#[derive(Clone, Copy)]
enum Place {
    /// It is the object itself.
    Object,
    /// It is the object's metadata.
    Metadata,
}

/// What is at that place: a deserializer, a visitor or a map there.
struct At<T> {
    inner: T,
    place: Place,
}

/// All but structs, and such as may be missing, is passed on as it is: objects and their metadata are structs.
macro_rules! pass_on {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
            self.inner.$method(visitor)
        }
    )*};
}

impl<'de, D: Deserializer<'de>> Deserializer<'de> for At<D> {
    type Error = D::Error;

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_struct(name, fields, At { inner: visitor, place: self.place })
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_option(At { inner: visitor, place: self.place })
    }

    pass_on! {
        deserialize_any deserialize_bool deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8
        deserialize_u16 deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64 deserialize_char deserialize_str
        deserialize_string deserialize_bytes deserialize_byte_buf deserialize_unit deserialize_seq
        deserialize_map deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_unit_struct(name, visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_newtype_struct(name, visitor)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, len: usize, visitor: V) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple(len, visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        len: usize,
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_tuple_struct(name, len, visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, D::Error> {
        self.inner.deserialize_enum(name, variants, visitor)
    }
}

impl<'de, V: Visitor<'de>> Visitor<'de> for At<V> {
    type Value = V::Value;

    fn expecting(&self, formatter: &mut std::fmt::Formatter) -> std::fmt::Result {
        self.inner.expecting(formatter)
    }

    fn visit_none<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_none()
    }

    fn visit_unit<E: Error>(self) -> Result<V::Value, E> {
        self.inner.visit_unit()
    }

    fn visit_some<D: Deserializer<'de>>(self, deserializer: D) -> Result<V::Value, D::Error> {
        self.inner.visit_some(At { inner: deserializer, place: self.place })
    }

    fn visit_map<M: MapAccess<'de>>(self, map: M) -> Result<V::Value, M::Error> {
        let fields = Fields { map, place: self.place, is_metadata: false };
        self.inner.visit_map(fields)
    }
}

/// The fields of a struct at that place.
struct Fields<M> {
    map: M,
    place: Place,
    /// Whether the value that comes next is the object's metadata.
    is_metadata: bool,
}

impl<'de, M: MapAccess<'de>> MapAccess<'de> for Fields<M> {
    type Error = M::Error;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, M::Error> {
        while let Some(key) = self.map.next_key::<Cow<'de, str>>()? {
            if matches!(self.place, Place::Metadata) && key == "managedFields" {
                self.map.next_value::<IgnoredAny>()?;
                continue;
            }
            self.is_metadata = matches!(self.place, Place::Object) && key == "metadata";
            return seed.deserialize(key.into_deserializer()).map(Some);
        }
        Ok(None)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, M::Error> {
        if self.is_metadata {
            self.map.next_value_seed(OfMetadata(seed, PhantomData))
        } else {
            self.map.next_value_seed(seed)
        }
    }

    fn size_hint(&self) -> Option<usize> {
        self.map.size_hint()
    }
}

/// Reads metadata.
struct OfMetadata<'de, S>(S, PhantomData<&'de ()>);

impl<'de, S: DeserializeSeed<'de>> DeserializeSeed<'de> for OfMetadata<'de, S> {
    type Value = S::Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<S::Value, D::Error> {
        self.0.deserialize(At { inner: deserializer, place: Place::Metadata })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use k8s_openapi::api::apps::v1::Deployment;
    use kube::core::{ObjectList, WatchEvent};
    use serde_json::{Value, json};

    fn deployment() -> Value {
        let managed =
            json!([{"manager": "x", "operation": "Apply", "fieldsV1": {"f:spec": {"f:replicas": {}}}}]);
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "lobby-hub", "annotations": {"managedFields": "a \"note\""}, "managedFields": managed,
                "namespace": "team"
            },
            "spec": {"replicas": 2, "selector": {}, "template": {"metadata": {"labels": {"metadata": "x"}}}},
        })
    }

    fn without(mut object: Value) -> Value {
        object["metadata"].as_object_mut().unwrap().remove("managedFields");
        object
    }

    #[test]
    fn all_but_the_managed_fields_is_read() {
        let text = deployment().to_string();

        let Lean(read): Lean<Deployment> = serde_json::from_str(&text).unwrap();

        let whole: Deployment = serde_json::from_str(&text).unwrap();
        assert!(whole.metadata.managed_fields.is_some());
        assert_eq!(serde_json::to_value(&read).unwrap(), without(deployment()));
    }

    #[test]
    fn in_lists_and_events_too() {
        let list = json!({"apiVersion": "v1", "kind": "List", "metadata": {}, "items": [deployment()]});
        let list: ObjectList<Lean<Deployment>> = serde_json::from_str(&list.to_string()).unwrap();
        assert_eq!(serde_json::to_value(&list.items[0]).unwrap(), without(deployment()));

        let event = format!(r#"{{"type": "MODIFIED", "object": {}}}"#, deployment());
        let event: WatchEvent<Lean<Deployment>> = serde_json::from_str(&event).unwrap();
        let WatchEvent::Modified(object) = event else { panic!("{event:?}") };
        assert_eq!(serde_json::to_value(&object).unwrap(), without(deployment()));
    }

    #[test]
    fn without_metadata_it_is_an_object_all_the_same() {
        for text in ["{}", r#"{"metadata": null}"#] {
            let Lean(read): Lean<Deployment> = serde_json::from_str(text).unwrap();
            assert_eq!(read, Deployment::default(), "{text}");
        }
    }

    #[test]
    fn what_is_no_object_is_refused_as_ever() {
        let refused = |text: &str| serde_json::from_str::<Lean<Deployment>>(text).unwrap_err().to_string();

        assert!(refused("7").contains("invalid type"), "{}", refused("7"));
        assert!(refused(r#"{"metadata": {"labels": 7}}"#).contains("invalid type"));
    }
}
