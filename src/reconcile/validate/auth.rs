//! The active password of Redis: generated, or the user's own.

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use thiserror::Error;

use super::password::{Password, PasswordError};
use super::secret::{SecretKeyRef, UserSecret, present_keys};
use crate::hex::random_hex;
use chatcluster_api::names::key;

/// The active password, and a revision that changes with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Auth {
    /// The password.
    pub password: Password,
    /// A random text that changes with the password. It says nothing about the password to people who may
    /// read pods but not Secrets.
    pub revision: String,
}

/// The reason for which the password that the spec names cannot be used. Waits for the user to correct it.
#[derive(Clone, Debug, Error, PartialEq, Eq)]
pub enum AuthError {
    /// `redis.auth.existingSecret` names a Secret that does not exist.
    #[error(
        "the Secret {name} that redis.auth.existingSecret names does not exist: create it with the key {key}, or remove existingSecret to have a password generated"
    )]
    SecretMissing {
        /// The Secret's name.
        name: String,
        /// The key that it should have.
        key: String,
    },
    /// The Secret has no such key.
    #[error(
        "the Secret {name} has no key {key}: add the key with the password, or name another in redis.auth.existingSecret.key{}",
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
    /// The key's value is no password.
    #[error("the key {key} of the Secret {name} cannot be a password: {error}; write another into it")]
    Invalid {
        /// The Secret's name.
        name: String,
        /// The key.
        key: String,
        /// The fault of the value.
        error: PasswordError,
    },
}

/// Returns the password that the spec asks for, given the present Secret `<name>-redis-auth` (if it is ours)
/// and the user's. No password is generated while that Secret holds one.
pub fn resolve_auth(current: Option<&Secret>, user: &UserSecret) -> Result<Auth, AuthError> {
    let active = current.and_then(auth_of);
    let password = match user {
        UserSecret::NotNamed => return Ok(active.unwrap_or_else(|| with_new_revision(Password::generate()))),
        UserSecret::Missing(wanted) => {
            return Err(AuthError::SecretMissing { name: wanted.name.clone(), key: wanted.key.clone() });
        }
        UserSecret::Found(wanted, secret) => user_password(wanted, secret)?,
    };
    // The revision stays with the password, or each reconcile would restart Redis.
    Ok(active.filter(|auth| auth.password == password).unwrap_or_else(|| with_new_revision(password)))
}

/// Returns the password that the Secret `<name>-redis-auth` holds.
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

fn with_new_revision(password: Password) -> Auth {
    Auth { password, revision: random_hex::<8>() }
}

fn user_password(wanted: &SecretKeyRef, secret: &Secret) -> Result<Password, AuthError> {
    let (name, key) = (wanted.name.clone(), wanted.key.clone());
    let data = secret.data.clone().unwrap_or_default();
    match data.get(&wanted.key) {
        None => Err(AuthError::KeyMissing { name, key, present: data.into_keys().collect() }),
        Some(ByteString(bytes)) => {
            Password::parse(bytes).map_err(|error| AuthError::Invalid { name, key, error })
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::reconcile::validate::testing::secret;

    fn wanted() -> SecretKeyRef {
        SecretKeyRef { name: "mine".to_owned(), key: "pw".to_owned() }
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
