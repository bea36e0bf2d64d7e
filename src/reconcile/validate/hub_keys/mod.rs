//! The keys of the hubs: the one that connection tokens are signed with, which the operator makes, and the one that clients'
//! tokens are checked with, which is the user's. Both are in the Secret `<name>-hub-token`.

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
use crate::reconcile::validate::secret::{UserSecret, has};
use chatcluster_api::names::hub_key;
use chatcluster_api::{Reason, TokenAlgorithm};

/// The fewest bytes of a key that signs: as many as a SHA-256 (RFC 7518, 3.2).
const SHORTEST: usize = 32;
/// The most bytes of a user's key: it shares a Secret, which may have a MiB.
const LONGEST: usize = 256 * 1024;

/// A key. It never shows in `{:?}`.
#[derive(Clone, PartialEq, Eq)]
pub struct Key(Vec<u8>);

impl Key {
    /// The key itself, for a Secret's data only.
    pub fn reveal(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(hidden)")
    }
}

/// What hubs are to sign and check tokens with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HubKeys {
    /// Signs connection tokens.
    pub token: Key,
    /// Changes with `token`. Random, so that it tells nothing of the key to those who may read pods but not Secrets.
    pub revision: String,
    /// Checks clients' tokens, by its name in the Secret; none where everyone gets in. While the one that the spec names
    /// cannot be used, what is there stays.
    pub clients: BTreeMap<String, Key>,
    /// Why the one that the spec names cannot be used.
    pub trouble: Option<HubAuthError>,
}

/// Why clients' tokens cannot be checked as the spec says. Each is mended by the user, and waits for that.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum HubAuthError {
    /// `hub.auth.keySecret` names a Secret that does not exist.
    #[error(
        "the Secret {name} that hub.auth.keySecret names does not exist: create it with the key {key}, or remove hub.auth to let everyone in"
    )]
    SecretMissing {
        /// Its name.
        name: String,
        /// The key it should have.
        key: String,
    },
    /// The Secret has no such key.
    #[error(
        "the Secret {name} has no key {key}: add it, or name another in hub.auth.keySecret.key{}",
        has(.present)
    )]
    KeyMissing {
        /// The Secret's name.
        name: String,
        /// The missing key.
        key: String,
        /// The keys that it has.
        present: Vec<String>,
    },
    /// The key's value is none for this algorithm.
    #[error("the key {key} of the Secret {name} cannot be used for hub.auth.algorithm {algorithm}: {error}")]
    Invalid {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// What it is to be good for.
        algorithm: &'static str,
        /// What is wrong with it.
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

/// Why bytes are no key for an algorithm.
#[derive(Clone, Copy, Debug, Error, PartialEq, Eq)]
pub enum KeyError {
    /// More than a Secret should be asked to hold beside others.
    #[error("it is longer than {} KiB", LONGEST / 1024)]
    TooLong,
    /// A secret that can be guessed.
    #[error(
        "it is shorter than {SHORTEST} bytes: write a longer, random secret into it, and give it to whoever issues the tokens"
    )]
    TooShort,
    /// What everyone may know, in the place of a secret: with it everyone could make tokens.
    #[error(
        "it is no secret but a public key or a key set: set the algorithm to RS256 or JWKS, or write a secret into it"
    )]
    Public,
    /// What only the issuer may have.
    #[error("it has a private key in it, which hubs must not have: write only the public one into it")]
    Private,
    /// Not PEM.
    #[error("it is no public key as PEM (-----BEGIN PUBLIC KEY-----): write the issuer's into it")]
    NoPem,
    /// A public key of another algorithm.
    #[error(
        "it is a public key, but none of RSA: write the issuer's RSA key into it, or give the issuer's keys as a JSON Web Key Set and set the algorithm to JWKS, which takes others, too"
    )]
    NotRsa,
    /// Not a JSON Web Key Set.
    #[error(
        "it is no JSON Web Key Set ({{\"keys\": […]}}, with at least one key that has a kid): write the issuer's into it"
    )]
    NoKeySet,
}

/// The keys that the spec asks for, given the Secret `<name>-hub-token` as it is now (if it is ours) and the user's. The key
/// of connection tokens is never made anew while that Secret holds one that hubs take.
pub fn resolve(cluster: &Cluster, current: Option<&Secret>, user: &UserSecret) -> HubKeys {
    let there = |key: &str| current?.data.as_ref()?.get(key).map(|ByteString(bytes)| bytes.clone());
    let (token, revision) = match there(hub_key::TOKEN).filter(|bytes| bytes.len() >= SHORTEST) {
        Some(token) => {
            let revision = there(hub_key::REVISION).and_then(|bytes| String::from_utf8(bytes).ok());
            let revision = revision.filter(|revision| !revision.is_empty() && revision.len() <= 64);
            (Key(token), revision.unwrap_or_else(random_hex::<8>))
        }
        None => (Key(random_hex::<32>().into_bytes()), random_hex::<8>()),
    };
    let (clients, trouble) = match client_key(cluster, user) {
        Ok(named) => (named.into_iter().collect(), None),
        Err(error) => {
            let kept =
                hub_key::CLIENTS.iter().filter_map(|name| Some(((*name).to_owned(), Key(there(name)?))));
            (kept.collect(), Some(error))
        }
    };
    HubKeys { token, revision, clients, trouble }
}

/// The key that clients' tokens are checked with, and its name in the Secret `<name>-hub-token`; `None`: everyone gets in.
pub fn client_key(cluster: &Cluster, user: &UserSecret) -> Result<Option<(String, Key)>, HubAuthError> {
    let Some(auth) = &cluster.spec.hub.auth else { return Ok(None) };
    let (name, key) = (auth.key_secret.name.clone(), auth.key_secret.key.clone());
    let UserSecret::Found(_, secret) = user else { return Err(HubAuthError::SecretMissing { name, key }) };
    let Some(ByteString(bytes)) = secret.data.as_ref().and_then(|data| data.get(&key)) else {
        let present = secret.data.iter().flat_map(|data| data.keys().cloned()).collect();
        return Err(HubAuthError::KeyMissing { name, key, present });
    };
    match check(auth.algorithm, bytes) {
        Ok(()) => Ok(Some((file(auth.algorithm).to_owned(), Key(bytes.clone())))),
        Err(error) => Err(HubAuthError::Invalid { name, key, algorithm: auth.algorithm.as_str(), error }),
    }
}

/// Its name in the Secret. Another for each algorithm: a hub that still runs with the former one must not take a public key,
/// which everyone may know, for the secret that tokens are signed with.
pub fn file(algorithm: TokenAlgorithm) -> &'static str {
    match algorithm {
        TokenAlgorithm::Hs256 => hub_key::HS256,
        TokenAlgorithm::Rs256 => hub_key::RS256,
        TokenAlgorithm::Jwks => hub_key::JWKS,
    }
}

fn check(algorithm: TokenAlgorithm, bytes: &[u8]) -> Result<(), KeyError> {
    if bytes.len() > LONGEST {
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
        // Whoever gives hubs a private key has mixed up the algorithms, and would be given it away.
        TokenAlgorithm::Hs256 | TokenAlgorithm::Rs256 if private => Err(KeyError::Private),
        // The hub takes white space at the end, as editors leave it, for no part of it.
        TokenAlgorithm::Hs256 if bytes.trim_ascii_end().len() < SHORTEST => Err(KeyError::TooShort),
        TokenAlgorithm::Hs256 => Ok(()),
        TokenAlgorithm::Rs256 => match public_key::read(text) {
            Some(PublicKey::Rsa) => Ok(()),
            Some(PublicKey::Other) => Err(KeyError::NotRsa),
            None => Err(KeyError::NoPem),
        },
        TokenAlgorithm::Jwks => match key_set(text) {
            None => Err(KeyError::NoKeySet),
            // The private exponent: RFC 7518, 6.3.2.1, and 6.2.2.1 for elliptic curves.
            Some(keys) if keys.iter().any(|key| key.get("d").is_some()) => Err(KeyError::Private),
            Some(_) => Ok(()),
        },
    }
}

/// The keys of a JSON Web Key Set (RFC 7517, 5), if it is one and has any that a token's `kid` could name.
fn key_set(text: &str) -> Option<Vec<Value>> {
    let set: Value = serde_json::from_str(text).ok()?;
    let keys = set.get("keys")?.as_array()?;
    let has = |key: &Value, member| key.get(member).is_some_and(Value::is_string);
    let good = keys.iter().all(|key| has(key, "kty")) && keys.iter().any(|key| has(key, "kid"));
    good.then(|| keys.clone())
}

#[cfg(test)]
mod tests;
