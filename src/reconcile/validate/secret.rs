//! The user's Secrets to which a spec refers.

use std::sync::Arc;

use chatcluster_api::{ExistingSecret, KeySecret};
use k8s_openapi::api::core::v1::Secret;

/// A Secret of the user, as far as it is known.
#[derive(Clone, Debug)]
pub enum UserSecret {
    /// The spec names none.
    NotNamed,
    /// The spec names one that does not exist.
    Missing(SecretKeyRef),
    /// The Secret that the spec names exists.
    Found(SecretKeyRef, Arc<Secret>),
}

/// A spec's reference to a key of a user's Secret.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key in the Secret's data.
    pub key: String,
}

impl From<&ExistingSecret> for SecretKeyRef {
    fn from(named: &ExistingSecret) -> Self {
        Self { name: named.name.clone(), key: named.key.clone() }
    }
}

impl From<&KeySecret> for SecretKeyRef {
    fn from(named: &KeySecret) -> Self {
        Self { name: named.name.clone(), key: named.key.clone() }
    }
}

/// Returns the end of a message: the keys that a Secret has instead of the missing one.
pub(super) fn present_keys(present: &[String]) -> String {
    if present.is_empty() { String::new() } else { format!(" (it has {})", present.join(", ")) }
}
