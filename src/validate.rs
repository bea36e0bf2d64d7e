//! From an observed `ChatCluster` to values that hold: after this step nothing is checked again.

use std::borrow::Cow;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use thiserror::Error;

use crate::api::{ChatCluster, ChatClusterSpec, ExistingSecret, KeySecret};
use crate::names::{self, key};
use crate::password::{Password, PasswordError, random_hex};

/// What the operator was started with and every cluster shares.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The image of hubs that name none.
    pub hub_image: String,
    /// The image of Redis where none is named.
    pub redis_image: String,
    /// The namespace that the operator runs in, from which Redis takes its PING; none when it runs outside the cluster.
    pub operator_namespace: Option<String>,
    /// Whether every cluster is held as if it were paused.
    pub hold: bool,
}

/// A `ChatCluster` with its identity and every default filled in.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`.
    pub uid: String,
    /// The owner reference of its children. Without `blockOwnerDeletion`, which would need one more permission.
    pub owner: OwnerReference,
    /// The name that messages travel under.
    pub event_key: String,
    /// The hub's image.
    pub hub_image: String,
    /// Redis's image.
    pub redis_image: String,
    /// What was last asked to restart: the values of the annotations [`names::RESTART_HUB`] and [`names::RESTART_REDIS`].
    pub restart: Restart,
    /// Why nothing is changed, if nothing is.
    pub held: Option<Held>,
    /// Everything else.
    pub spec: ChatClusterSpec,
}

/// The restarts that were asked for, by annotations: pods restart when the text changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// Of the hubs.
    pub hub: Option<String>,
    /// Of Redis.
    pub redis: Option<String>,
}

/// Why the operator changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Held {
    /// `spec.paused`.
    Paused,
    /// The operator was started with `--hold`.
    Hold,
}

/// What every object from the API server has and this one lacks.
#[derive(Debug, Error)]
#[error("the ChatCluster has no {0}: it does not come from an API server")]
pub struct Incomplete(&'static str);

impl Cluster {
    /// Takes a `ChatCluster` as the API server gave it.
    ///
    /// # Errors
    /// If it lacks what every stored object has.
    pub fn new(object: &ChatCluster, defaults: &Defaults) -> Result<Self, Incomplete> {
        let namespace = object.namespace().ok_or(Incomplete("namespace"))?;
        let uid = object.uid().ok_or(Incomplete("uid"))?;
        let mut owner = object.controller_owner_ref(&()).ok_or(Incomplete("name"))?;
        owner.block_owner_deletion = None;
        let name = object.name_any();
        let spec = object.spec.clone();
        let annotation = |name| object.annotations().get(name).cloned();
        let held = match (spec.paused, defaults.hold) {
            (true, _) => Some(Held::Paused),
            (false, true) => Some(Held::Hold),
            (false, false) => None,
        };
        Ok(Self {
            restart: Restart { hub: annotation(names::RESTART_HUB), redis: annotation(names::RESTART_REDIS) },
            held,
            event_key: spec.event_key.clone().unwrap_or_else(|| format!("{namespace}.{name}")),
            hub_image: spec.hub.image.clone().unwrap_or_else(|| defaults.hub_image.clone()),
            redis_image: spec.redis.image.clone().unwrap_or_else(|| defaults.redis_image.clone()),
            name,
            namespace,
            uid,
            owner,
            spec,
        })
    }
}

impl Cluster {
    /// The same with a volume of that size, where it cannot have the spec's.
    pub fn with_volume_of(&self, size: Option<&str>) -> Cow<'_, Self> {
        let Some(size) = size else { return Cow::Borrowed(self) };
        let mut cluster = self.clone();
        size.clone_into(&mut cluster.spec.redis.storage.size);
        Cow::Owned(cluster)
    }

    /// How many hubs the spec asks for; `None`: an autoscaler decides.
    pub fn replicas(&self) -> Option<i32> {
        self.spec.hub.autoscaling.is_none().then_some(self.spec.hub.replicas)
    }
}

/// The password in force, and a number that changes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The password.
    pub password: Password,
    /// Random, so that it tells nothing of the password to those who may read pods but not Secrets.
    pub revision: String,
}

/// A Secret of the user, as far as it is known.
#[derive(Clone, Debug)]
pub enum UserSecret {
    /// The spec names none.
    NotNamed,
    /// The spec names one that does not exist.
    Missing(SecretKey),
    /// It exists.
    Found(SecretKey, std::sync::Arc<Secret>),
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

/// Why the password that the spec names cannot be used. Each is mended by the user, and waits for that.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AuthError {
    /// `redis.auth.existingSecret` names a Secret that does not exist.
    #[error(
        "the Secret {name} that redis.auth.existingSecret names does not exist: create it with the key {key}, or remove existingSecret to have a password generated"
    )]
    SecretMissing {
        /// Its name.
        name: String,
        /// The key it should have.
        key: String,
    },
    /// The Secret has no such key.
    #[error(
        "the Secret {name} has no key {key}: add the key with the password, or name another in redis.auth.existingSecret.key{}",
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
    /// The key's value is no password.
    #[error("the key {key} of the Secret {name} cannot be a password: {error}; write another into it")]
    Invalid {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// What is wrong with it.
        error: PasswordError,
    },
}

/// What a Secret has instead of the key that is asked for.
pub(crate) fn has(present: &[String]) -> String {
    if present.is_empty() { String::new() } else { format!(" (it has {})", present.join(", ")) }
}

/// The password that the spec asks for, given the Secret `<name>-redis-auth` as it is now (if it is ours) and the user's.
/// A generated password is never generated anew while that Secret holds one.
pub fn resolve_auth(current: Option<&Secret>, user: &UserSecret) -> Result<Auth, AuthError> {
    let in_force = current.and_then(auth_of);
    let password = match user {
        UserSecret::NotNamed => return Ok(in_force.unwrap_or_else(|| fresh(Password::generate()))),
        UserSecret::Missing(wanted) => {
            return Err(AuthError::SecretMissing { name: wanted.name.clone(), key: wanted.key.clone() });
        }
        UserSecret::Found(wanted, secret) => user_password(wanted, secret)?,
    };
    // The revision stays with the password, or each reconcile would restart Redis.
    Ok(in_force.filter(|auth| auth.password == password).unwrap_or_else(|| fresh(password)))
}

/// The password that the Secret `<name>-redis-auth` holds.
pub fn auth_of(secret: &Secret) -> Option<Auth> {
    let data = secret.data.as_ref()?;
    let password = Password::parse(&data.get(key::PASSWORD)?.0).ok()?;
    let revision = data
        .get(key::REVISION)
        .and_then(|ByteString(bytes)| String::from_utf8(bytes.clone()).ok())
        .filter(|revision| !revision.is_empty() && revision.len() <= 64)
        .unwrap_or_else(random_hex::<8>);
    Some(Auth { password, revision })
}

fn fresh(password: Password) -> Auth {
    Auth { password, revision: random_hex::<8>() }
}

fn user_password(wanted: &SecretKey, secret: &Secret) -> Result<Password, AuthError> {
    let (name, key) = (wanted.name.clone(), wanted.key.clone());
    let data = secret.data.clone().unwrap_or_default();
    match data.get(&wanted.key) {
        None => Err(AuthError::KeyMissing { name, key, present: data.into_keys().collect() }),
        Some(ByteString(bytes)) => {
            Password::parse(bytes).map_err(|error| AuthError::Invalid { name, key, error })
        }
    }
}

/// The selector of the hub pods for `status.hub.selector`.
pub fn hub_selector(cluster: &Cluster) -> String {
    names::selector_string(&cluster.name, names::Component::Hub)
}

/// For tests of the steps that follow.
#[cfg(test)]
pub(crate) mod testing {
    use super::{Auth, Cluster, Defaults, UserSecret};
    use crate::api::{ChatCluster, ChatClusterSpec};
    use crate::hub_keys::{HubKeys, resolve};
    use crate::names::hub_key;
    use crate::password::Password;
    use k8s_openapi::ByteString;
    use k8s_openapi::api::core::v1::Secret;
    use kube::core::ObjectMeta;

    pub(crate) fn defaults() -> Defaults {
        Defaults {
            hub_image: "example/hub:1".to_owned(),
            redis_image: "example/redis:7".to_owned(),
            operator_namespace: Some("chatcluster-system".to_owned()),
            hold: false,
        }
    }

    pub(crate) fn auth() -> Auth {
        Auth { password: Password::parse(b"s3cret").unwrap(), revision: "r1".to_owned() }
    }

    /// A Secret with these keys.
    pub(crate) fn secret(pairs: &[(&str, &str)]) -> Secret {
        let data = pairs.iter().map(|(k, v)| ((*k).to_owned(), ByteString(v.as_bytes().to_vec())));
        Secret { data: Some(data.collect()), ..Secret::default() }
    }

    /// The hubs' keys where the spec's Secret is this one.
    pub(crate) fn keys(cluster: &Cluster, user: &UserSecret) -> HubKeys {
        let there =
            secret(&[(hub_key::TOKEN, "t0ken-key-of-at-least-32-bytes-in-all"), (hub_key::REVISION, "k1")]);
        resolve(cluster, Some(&there), user)
    }

    /// The cluster `lobby` in the namespace `team`.
    pub(crate) fn cluster(spec: serde_json::Value) -> Cluster {
        let spec: ChatClusterSpec = serde_json::from_value(spec).unwrap();
        let metadata = ObjectMeta {
            name: Some("lobby".to_owned()),
            namespace: Some("team".to_owned()),
            uid: Some("0-1-2".to_owned()),
            ..ObjectMeta::default()
        };
        Cluster::new(&ChatCluster { metadata, spec, status: None }, &defaults()).unwrap()
    }
}

#[cfg(test)]
mod tests {
    use super::testing::secret;
    use super::*;
    use std::sync::Arc;

    fn wanted() -> SecretKey {
        SecretKey { name: "mine".to_owned(), key: "pw".to_owned() }
    }

    #[test]
    fn a_generated_password_is_kept_while_its_secret_exists() {
        let current = secret(&[(key::PASSWORD, "kept"), (key::REVISION, "r1")]);

        let auth = resolve_auth(Some(&current), &UserSecret::NotNamed).unwrap();

        assert_eq!((auth.password.reveal(), auth.revision.as_str()), ("kept", "r1"));
    }

    #[test]
    fn a_users_password_replaces_the_generated_one_and_changes_the_revision() {
        let current = secret(&[(key::PASSWORD, "generated"), (key::REVISION, "r1")]);
        let user = UserSecret::Found(wanted(), Arc::new(secret(&[("pw", "mine\n")])));

        let auth = resolve_auth(Some(&current), &user).unwrap();

        assert_eq!(auth.password.reveal(), "mine");
        assert_ne!(auth.revision, "r1");
    }

    #[test]
    fn an_unchanged_users_password_keeps_its_revision() {
        let current = secret(&[(key::PASSWORD, "mine"), (key::REVISION, "r1")]);
        let user = UserSecret::Found(wanted(), Arc::new(secret(&[("pw", "mine\n")])));

        assert_eq!(resolve_auth(Some(&current), &user).unwrap().revision, "r1");
    }

    #[test]
    fn what_is_wrong_with_a_users_secret_is_said_with_the_remedy() {
        let missing = resolve_auth(None, &UserSecret::Missing(wanted())).unwrap_err().to_string();
        let no_key = resolve_auth(None, &UserSecret::Found(wanted(), Arc::new(secret(&[("password", "x")]))));
        let empty = resolve_auth(None, &UserSecret::Found(wanted(), Arc::new(secret(&[("pw", "")]))));

        assert!(
            missing.contains("Secret mine") && missing.contains("create it with the key pw"),
            "{missing}"
        );
        let no_key = no_key.unwrap_err().to_string();
        assert!(no_key.contains("no key pw") && no_key.contains("it has password"), "{no_key}");
        assert_eq!(
            empty.unwrap_err(),
            AuthError::Invalid { name: "mine".into(), key: "pw".into(), error: PasswordError::Empty }
        );
    }
}
