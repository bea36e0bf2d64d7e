//! The parts of `spec.hub` that concern clients: who may connect, the limits, and the message history. The
//! operator passes them to the hub container as environment variables, which the bundled hub reads and other
//! images may read.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::rule::rule;

/// The check of clients' tokens (JWT).
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubAuth {
    /// The algorithm that tokens are signed with, which decides the kind of key in `keySecret`. `HS256`: a
    /// secret of at least 32 bytes, which the issuer of the tokens shares with the hubs. `RS256`: the RSA
    /// public key of the issuer, as PEM. `JWKS`: a JSON Web Key Set with the public keys of the issuer. The
    /// container gets it as `HUB_JWT_ALGORITHM`. Default: `HS256`.
    #[serde(default)]
    pub algorithm: TokenAlgorithm,

    /// The Secret with the key that tokens are checked with. The operator copies the key into the Secret
    /// `<name>-hub-token`, and the container gets it as a file with the path `HUB_JWT_KEY_FILE`. When the key
    /// changes, the hubs use the new one within about a minute, without a restart.
    pub key_secret: KeySecret,

    /// The issuer of valid tokens: the value that their claim `iss` must have. At most 512 characters,
    /// without spaces. If unset, every issuer is accepted. The container gets it as `HUB_JWT_ISSUER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub issuer: Option<String>,

    /// The audience of valid tokens: the value that their claim `aud` must have, or must contain if it is a
    /// list. At most 512 characters, without spaces. If unset, every audience is accepted. The container gets
    /// it as `HUB_JWT_AUDIENCE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub audience: Option<String>,
}

/// The algorithm that clients' tokens are signed with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum TokenAlgorithm {
    #[default]
    Hs256,
    Rs256,
    Jwks,
}

impl TokenAlgorithm {
    /// Returns the value as the spec and the hub spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Jwks => "JWKS",
        }
    }
}

/// The Secret with the key that clients' tokens are checked with, in the namespace of the ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySecret {
    /// The name of the Secret. It must be in the namespace of the ChatCluster.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key of the Secret's data that holds the secret, the public key or the key set. Default: `jwt.key`.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn default_key() -> String {
    "jwt.key".to_owned()
}

/// Limits for clients. For a limit that is unset, the hub uses its own default.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubLimits {
    /// The maximum size of one message from a client, in bytes. A connection that sends a larger one is
    /// closed. If unset, the bundled hub allows 32768. The container gets it as `HUB_MAX_MESSAGE_BYTES`.
    /// Range: 1024 to 16777216.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub message_bytes: Option<u32>,

    /// The maximum number of connections of one hub; 0 means no limit. Further clients are refused. If unset,
    /// the bundled hub has no limit. The container gets it as `HUB_MAX_CONNECTIONS`. Range: 0 to 1000000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub connections: Option<u32>,

    /// The maximum number of rooms and groups that one connection may be in. If unset, the bundled hub allows
    /// 100. The container gets it as `HUB_MAX_ROOMS_PER_CONNECTION`. Range: 1 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub rooms_per_connection: Option<u32>,

    /// The maximum number of messages per second from one connection, with bursts of up to twice as many; 0
    /// means no limit. Further calls fail with an error. If unset, the bundled hub has no limit. The
    /// container gets it as `HUB_MESSAGES_PER_SECOND`. Range: 0 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub messages_per_second: Option<u32>,

    /// The maximum number of new connections per second that one hub accepts from one client address; 0 means
    /// no limit. Further connections are refused. Behind a load balancer that hides the clients' addresses,
    /// all clients share one address. If unset, the bundled hub has no limit. The container gets it as
    /// `HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS`. Range: 0 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub connections_per_second_per_address: Option<u32>,
}

/// The messages of each room that the hub keeps. For a setting that is unset, the hub uses its own default.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubHistory {
    /// The number of messages that the hub keeps of each room. With 0 it keeps none, and a client that
    /// reconnects misses the messages sent in between. If unset, the bundled hub keeps 100. The container
    /// gets it as `HUB_HISTORY_MESSAGES`. Range: 0 to 100000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub messages: Option<u32>,

    /// The time in seconds after which a room without new messages loses its history. If unset, the bundled
    /// hub keeps it for 86400 seconds (one day). The container gets it as `HUB_HISTORY_SECONDS`. Range: 1 to
    /// 31536000.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub retention_seconds: Option<u32>,
}

/// Rules against variables in `hub.env` that a field of this file sets.
pub(super) fn variables_of_fields() -> Vec<Value> {
    let is_named = |when: &str, names: &str| {
        format!("!has(self.env) || !({when}) || !self.env.exists(e, e.name in [{names}])")
    };
    let limits = [
        ("messageBytes", "HUB_MAX_MESSAGE_BYTES"),
        ("connections", "HUB_MAX_CONNECTIONS"),
        ("roomsPerConnection", "HUB_MAX_ROOMS_PER_CONNECTION"),
        ("messagesPerSecond", "HUB_MESSAGES_PER_SECOND"),
        ("connectionsPerSecondPerAddress", "HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS"),
    ];
    let history = [("messages", "HUB_HISTORY_MESSAGES"), ("retentionSeconds", "HUB_HISTORY_SECONDS")];
    let each = |parent: &str, fields: &[(&str, &str)]| {
        let all: Vec<String> = fields
            .iter()
            .map(|(field, name)| format!("(has(self.{parent}.{field}) && e.name == '{name}')"))
            .collect();
        format!("!has(self.env) || !has(self.{parent}) || !self.env.exists(e, {})", all.join(" || "))
    };
    vec![
        rule(
            &is_named(
                "has(self.auth)",
                "'HUB_JWT_KEY_FILE', 'HUB_JWT_ALGORITHM', 'HUB_JWT_ISSUER', 'HUB_JWT_AUDIENCE'",
            ),
            "hub.auth sets HUB_JWT_KEY_FILE, HUB_JWT_ALGORITHM, HUB_JWT_ISSUER and HUB_JWT_AUDIENCE: remove \
             them from hub.env",
        ),
        rule(
            &is_named("has(self.allowedOrigins) && self.allowedOrigins.size() > 0", "'HUB_ALLOWED_ORIGINS'"),
            "hub.allowedOrigins sets HUB_ALLOWED_ORIGINS: remove it from hub.env",
        ),
        rule(
            &each("limits", &limits),
            "hub.limits sets this variable: remove it from hub.env (messageBytes sets HUB_MAX_MESSAGE_BYTES, \
             connections HUB_MAX_CONNECTIONS, roomsPerConnection HUB_MAX_ROOMS_PER_CONNECTION, \
             messagesPerSecond HUB_MESSAGES_PER_SECOND, connectionsPerSecondPerAddress \
             HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS)",
        ),
        rule(
            &each("history", &history),
            "hub.history sets this variable: remove it from hub.env (messages sets HUB_HISTORY_MESSAGES, \
             retentionSeconds HUB_HISTORY_SECONDS)",
        ),
        rule(
            &is_named("self.rebalance", "'HUB_REBALANCE'"),
            "hub.rebalance sets HUB_REBALANCE: remove it from hub.env",
        ),
    ]
}
