//! The first step, pure: it turns a `ChatCluster` and the Secrets that it names into valid values. No later
//! step checks them again.

mod auth;
mod cluster;
pub mod hub_keys;
mod owner;
mod password;
mod secret;
#[cfg(test)]
pub(crate) mod testing;

pub use auth::{Auth, AuthError, auth_of, resolve_auth};
pub use cluster::{Cluster, Defaults, HoldReason, Incomplete, Restart, hub_selector};
pub use hub_keys::{HubAuthError, HubKeys};
pub(crate) use owner::{controller, owns};
pub use password::{Password, PasswordError};
pub use secret::{SecretKeyRef, UserSecret};
