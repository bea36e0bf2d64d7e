//! Secrets of the user that a spec refers to.

use std::sync::Arc;

use chatcluster_api::{ExistingSecret, KeySecret};
use k8s_openapi::api::core::v1::Secret;

/// A Secret of the user, as far as it is known.
#[derive(Clone, Debug)]
pub enum UserSecret {
    /// The spec names none.
    NotNamed,
    /// The spec names one that does not exist.
    Missing(SecretKey),
    /// It exists.
    Found(SecretKey, Arc<Secret>),
}

/// What a spec names of a Secret of the user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SecretKey {
    /// The Secret's name.
    pub name: String,
    /// The key in it.
    pub key: String,
}

impl From<&ExistingSecret> for SecretKey {
    fn from(named: &ExistingSecret) -> Self {
        Self { name: named.name.clone(), key: named.key.clone() }
    }
}

impl From<&KeySecret> for SecretKey {
    fn from(named: &KeySecret) -> Self {
        Self { name: named.name.clone(), key: named.key.clone() }
    }
}

/// What a Secret has instead of the key that is asked for.
pub(super) fn has(present: &[String]) -> String {
    if present.is_empty() { String::new() } else { format!(" (it has {})", present.join(", ")) }
}
