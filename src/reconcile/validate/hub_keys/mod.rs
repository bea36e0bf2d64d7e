//! The keys of the hubs: the key that signs connection tokens, which the operator generates, and the key that
//! checks clients' tokens, which is the user's. Both are stored in the Secret `<name>-hub-token`.

mod public_key;

use std::collections::BTreeMap;
use std::fmt;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use serde_json::Value;
use thiserror::Error;

use self::public_key::PublicKey;
use crate::hex::random_hex;
use crate::reconcile::validate::cluster::Cluster;
use crate::reconcile::validate::secret::{UserSecret, present_keys};
use chatcluster_api::names::hub_key;
use chatcluster_api::{Reason, TokenAlgorithm};

/// The minimum length of a key that signs, in bytes: that of a SHA-256 (RFC 7518, 3.2).
const MIN_LENGTH: usize = 32;
/// The maximum length of a user's key, in bytes: it shares a Secret, which may have 1 MiB.
const MAX_LENGTH: usize = 256 * 1024;

/// A key of the hubs. It never shows in `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct HubKey(Vec<u8>);

impl HubKey {
    /// Returns the key itself, for a Secret's data only.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for HubKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HubKey(hidden)")
    }
}

/// The keys with which hubs sign and check tokens.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubKeys {
    /// The key that signs connection tokens.
    pub token: HubKey,
    /// A random text that changes with `token`. It says nothing about the key to people who may read pods but
    /// not Secrets.
    pub revision: String,
    /// The key that checks clients' tokens, by its name in the Secret; empty where everyone is let in. While
    /// the key that the spec names cannot be used, the present keys stay.
    pub client_keys: BTreeMap<String, HubKey>,
    /// The reason for which the key that the spec names cannot be used.
    pub client_key_error: Option<HubAuthError>,
}

/// The reason for which clients' tokens cannot be checked as the spec says. Waits for the user to correct it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HubAuthError {
    /// `hub.auth.keySecret` names a Secret that does not exist.
    #[error(
        "the Secret {name} that hub.auth.keySecret names does not exist: create it with the key {key}, or remove hub.auth to let everyone in"
    )]
    SecretMissing {
        /// The Secret's name.
        name: String,
        /// The key that it should have.
        key: String,
    },
    /// The Secret has no such key.
    #[error(
        "the Secret {name} has no key {key}: add it, or name another in hub.auth.keySecret.key{}",
        present_keys(.present)
    )]
    KeyMissing {
        /// The Secret's name.
        name: String,
        /// The missing key.
        key: String,
        /// The keys that it has.
        present: Vec<String>,
    },
    /// The key's value does not fit the algorithm.
    #[error("the key {key} of the Secret {name} cannot be used for hub.auth.algorithm {algorithm}: {error}")]
    Invalid {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// The algorithm in the spec.
        algorithm: &'static str,
        /// The fault of the value.
        error: KeyError,
    },
}

impl From<&HubAuthError> for Reason {
    fn from(error: &HubAuthError) -> Self {
        match error {
            HubAuthError::SecretMissing { .. } => Reason::AuthSecretMissing,
            HubAuthError::KeyMissing { .. } => Reason::AuthSecretKeyMissing,
            HubAuthError::Invalid { .. } => Reason::AuthKeyInvalid,
        }
    }
}

/// The reason for which bytes are no key for an algorithm.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// The key is longer than a Secret should be asked to hold beside others.
    #[error("it is longer than {} KiB", MAX_LENGTH / 1024)]
    TooLong,
    /// The secret can be guessed.
    #[error(
        "it is shorter than {MIN_LENGTH} bytes: write a longer, random secret into it, and give it to whoever issues the tokens"
    )]
    TooShort,
    /// The key is public, in the place of a secret: with a key that everyone may know, everyone could make
    /// tokens.
    #[error(
        "it is no secret but a public key or a key set: set the algorithm to RS256 or JWKS, or write a secret into it"
    )]
    Public,
    /// The key is private, and only the issuer may have it.
    #[error("it has a private key in it, which hubs must not have: write only the public one into it")]
    Private,
    /// The text is no PEM.
    #[error("it is no public key as PEM (-----BEGIN PUBLIC KEY-----): write the issuer's into it")]
    NoPem,
    /// The key is a public key of another algorithm.
    #[error(
        "it is a public key, but none of RSA: write the issuer's RSA key into it, or give the issuer's keys as a JSON Web Key Set and set the algorithm to JWKS, which takes others, too"
    )]
    NotRsa,
    /// The text is no JSON Web Key Set.
    #[error(
        "it is no JSON Web Key Set ({{\"keys\": […]}}, with at least one key that has a kid): write the issuer's into it"
    )]
    NoKeySet,
}

/// Returns the keys that the spec asks for, given the present Secret `<name>-hub-token` (if it is ours) and
/// the user's. No key of connection tokens is generated while that Secret holds one that hubs take.
pub fn resolve(cluster: &Cluster, current: Option<&Secret>, user: &UserSecret) -> HubKeys {
    let there = |key: &str| current?.data.as_ref()?.get(key).map(|ByteString(bytes)| bytes.clone());
    let (token, revision) = match there(hub_key::TOKEN).filter(|bytes| bytes.len() >= MIN_LENGTH) {
        Some(token) => {
            let revision = there(hub_key::REVISION).and_then(|bytes| String::from_utf8(bytes).ok());
            let revision = revision.filter(|revision| !revision.is_empty() && revision.len() <= 64);
            (HubKey(token), revision.unwrap_or_else(random_hex::<8>))
        }
        None => (HubKey(random_hex::<32>().into_bytes()), random_hex::<8>()),
    };
    let (client_keys, client_key_error) = match client_key(cluster, user) {
        Ok(named) => (named.into_iter().collect(), None),
        Err(error) => {
            let kept =
                hub_key::CLIENTS.iter().filter_map(|name| Some(((*name).to_owned(), HubKey(there(name)?))));
            (kept.collect(), Some(error))
        }
    };
    HubKeys { token, revision, client_keys, client_key_error }
}

/// Returns the key that checks clients' tokens, with its name in the Secret `<name>-hub-token`; `None`:
/// everyone is let in.
pub fn client_key(cluster: &Cluster, user: &UserSecret) -> Result<Option<(String, HubKey)>, HubAuthError> {
    let Some(auth) = &cluster.spec.hub.auth else { return Ok(None) };
    let (name, key) = (auth.key_secret.name.clone(), auth.key_secret.key.clone());
    let UserSecret::Found(_, secret) = user else { return Err(HubAuthError::SecretMissing { name, key }) };
    let Some(ByteString(bytes)) = secret.data.as_ref().and_then(|data| data.get(&key)) else {
        let present = secret.data.iter().flat_map(|data| data.keys().cloned()).collect();
        return Err(HubAuthError::KeyMissing { name, key, present });
    };
    match check(auth.algorithm, bytes) {
        Ok(()) => Ok(Some((name_in_secret(auth.algorithm).to_owned(), HubKey(bytes.clone())))),
        Err(error) => Err(HubAuthError::Invalid { name, key, algorithm: auth.algorithm.as_str(), error }),
    }
}

/// Returns the name of the key in the Secret. Each algorithm has another name: a hub that still runs with the
/// former algorithm must not take a public key, which everyone may know, for the secret that signs tokens.
pub fn name_in_secret(algorithm: TokenAlgorithm) -> &'static str {
    match algorithm {
        TokenAlgorithm::Hs256 => hub_key::HS256,
        TokenAlgorithm::Rs256 => hub_key::RS256,
        TokenAlgorithm::Jwks => hub_key::JWKS,
    }
}

fn check(algorithm: TokenAlgorithm, bytes: &[u8]) -> Result<(), KeyError> {
    if bytes.len() > MAX_LENGTH {
        return Err(KeyError::TooLong);
    }
    let text = std::str::from_utf8(bytes).unwrap_or_default();
    let pem = |kind: &str| text.contains(&format!("-----BEGIN {kind}"));
    let public = pem("PUBLIC KEY-----") || pem("RSA PUBLIC KEY-----");
    let private = text.contains("PRIVATE KEY-----");
    match algorithm {
        TokenAlgorithm::Hs256 if public || pem("CERTIFICATE-----") || key_set(text).is_some() => {
            Err(KeyError::Public)
        }
        // A user who gives hubs a private key has mixed up the algorithms, and the key would be disclosed to
        // the hubs.
        TokenAlgorithm::Hs256 | TokenAlgorithm::Rs256 if private => Err(KeyError::Private),
        // The hub ignores white space at the end, as editors leave it.
        TokenAlgorithm::Hs256 if bytes.trim_ascii_end().len() < MIN_LENGTH => Err(KeyError::TooShort),
        TokenAlgorithm::Hs256 => Ok(()),
        TokenAlgorithm::Rs256 => match public_key::read(text) {
            Some(PublicKey::Rsa) => Ok(()),
            Some(PublicKey::Other) => Err(KeyError::NotRsa),
            None => Err(KeyError::NoPem),
        },
        TokenAlgorithm::Jwks => match key_set(text) {
            None => Err(KeyError::NoKeySet),
            // `d` is the private exponent (RFC 7518, 6.3.2.1) or, for elliptic curves, the private key
            // (6.2.2.1).
            Some(keys) if keys.iter().any(|key| key.get("d").is_some()) => Err(KeyError::Private),
            Some(_) => Ok(()),
        },
    }
}

/// Returns the keys of a JSON Web Key Set (RFC 7517, 5), if the text is one and has a key that a token's
/// `kid` could name.
fn key_set(text: &str) -> Option<Vec<Value>> {
    let set: Value = serde_json::from_str(text).ok()?;
    let keys = set.get("keys")?.as_array()?;
    let has = |key: &Value, member| key.get(member).is_some_and(Value::is_string);
    let good = keys.iter().all(|key| has(key, "kty")) && keys.iter().any(|key| has(key, "kid"));
    good.then(|| keys.clone())
}

#[cfg(test)]
mod tests;
