//! The namespace and name of an object, by which it is found.

use kube::{Resource, ResourceExt};

/// Namespace and name.
pub(crate) type Key = (String, String);

/// The namespace and name of `object`.
pub(crate) fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
