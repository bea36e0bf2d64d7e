//! The names by which hubs refer to each other's connections.

use std::borrow::Cow;

use serde::{Serialize, Serializer};

/// A connection as other hubs know it: `<instance>.<key>` on the backplane.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConnectionRef<'a> {
    /// The hub process that serves the connection.
    pub instance: Cow<'a, str>,
    /// The connection's key in that process.
    pub key: u64,
}

impl<'a> ConnectionRef<'a> {
    /// Parses the text of `Display`.
    pub fn read(text: &'a str) -> Option<Self> {
        let (instance, key) = text.rsplit_once('.')?;
        Some(Self { instance: instance.into(), key: key.parse().ok()? })
    }

    /// The connection's key if `instance` serves it; otherwise `None`.
    pub fn local_key(&self, instance: &str) -> Option<u64> {
        (self.instance == instance).then_some(self.key)
    }
}

impl std::fmt::Display for ConnectionRef<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}.{}", self.instance, self.key)
    }
}

impl Serialize for ConnectionRef<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}
