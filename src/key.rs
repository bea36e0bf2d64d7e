//! The key by which objects are found: namespace and name.

use kube::{Resource, ResourceExt};

/// An object's namespace and name.
pub(crate) type Key = (String, String);

/// Returns the key of `object`.
pub(crate) fn key<K: Resource>(object: &K) -> Key {
    (object.namespace().unwrap_or_default(), object.name_any())
}
