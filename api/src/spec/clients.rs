//! Of `spec.hub`: who may be a client of the hubs, how much a client may do, and what is kept for it. Our own hub knows the
//! variables that these become; an image of the user's may.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::rule::rule;

/// Which clients get in: those with a token (JWT) that this key vouches for.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct HubAuth {
    /// How tokens are signed. `HS256`: with a secret of at least 32 bytes that whoever issues them shares with the hubs.
    /// `RS256`: with a private key; the hubs have its public key, as PEM. `JWKS`: with one of several, whose public keys
    /// are a JSON Web Key Set. The container gets it as `HUB_JWT_ALGORITHM`.
    #[serde(default)]
    pub algorithm: TokenAlgorithm,

    /// Your Secret with the secret, the public key or the key set. The operator copies it into `<name>-hub-token`, and the
    /// container gets it as the file `HUB_JWT_KEY_FILE`. Change the Secret, and the hubs follow without a restart.
    pub key_secret: KeySecret,

    /// What the claim `iss` of a token has to be. The default takes any. The container gets it as `HUB_JWT_ISSUER`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub issuer: Option<String>,

    /// What the claim `aud` of a token has to be, or to name among others. The default takes any. The container gets it as
    /// `HUB_JWT_AUDIENCE`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^\S+$"))]
    pub audience: Option<String>,
}

/// How clients' tokens are signed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
#[schemars(inline)]
pub enum TokenAlgorithm {
    #[default]
    #[allow(missing_docs)]
    Hs256,
    #[allow(missing_docs)]
    Rs256,
    #[allow(missing_docs)]
    Jwks,
}

impl TokenAlgorithm {
    /// As the spec and the hub spell it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hs256 => "HS256",
            Self::Rs256 => "RS256",
            Self::Jwks => "JWKS",
        }
    }
}

/// A key of a Secret in the namespace of the ChatCluster.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct KeySecret {
    /// The name of the Secret.
    #[schemars(length(min = 1, max = 253))]
    pub name: String,

    /// The key in it.
    #[serde(default = "default_key")]
    #[schemars(length(min = 1, max = 253), regex(pattern = r"^[-._a-zA-Z0-9]+$"))]
    pub key: String,
}

fn default_key() -> String {
    "jwt.key".to_owned()
}

/// How much clients may do. What is left out is the hub's to decide.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubLimits {
    /// The most bytes that a client may send in one message. The hub's default is 32768. The container gets it as
    /// `HUB_MAX_MESSAGE_BYTES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1024, max = 16_777_216))]
    pub message_bytes: Option<u32>,

    /// The most clients of one hub; 0: no limit, which is the hub's default. The container gets it as
    /// `HUB_MAX_CONNECTIONS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 1_000_000))]
    pub connections: Option<u32>,

    /// The most rooms and groups that one connection may be in. The hub's default is 100. The container gets it as
    /// `HUB_MAX_ROOMS_PER_CONNECTION`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 100_000))]
    pub rooms_per_connection: Option<u32>,

    /// How many messages a second a hub takes from one connection, with a burst of twice as many; 0: no limit, which is the
    /// hub's default. The container gets it as `HUB_MESSAGES_PER_SECOND`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub messages_per_second: Option<u32>,

    /// How many new connections a second a hub takes from one address; 0: no limit, which is the hub's default. Behind a
    /// load balancer that hides the clients' addresses all of them have the same. The container gets it as
    /// `HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub connections_per_second_per_address: Option<u32>,
}

/// What is kept of each room, for those who come back. What is left out is the hub's to decide.
#[derive(JsonSchema, Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct HubHistory {
    /// How many messages of a room are kept; 0: none, so that who reconnects has missed what was said meanwhile. The hub's
    /// default is 100. The container gets it as `HUB_HISTORY_MESSAGES`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 0, max = 100_000))]
    pub messages: Option<u32>,

    /// How long a room's messages are kept after the last one, in seconds. The hub's default is 86400, a day. The container
    /// gets it as `HUB_HISTORY_SECONDS`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 31_536_000))]
    pub retention_seconds: Option<u32>,
}

/// Rules: `hub.env` leaves the variables alone that fields set.
pub(super) fn variables_of_fields() -> Vec<serde_json::Value> {
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
            "hub.auth sets HUB_JWT_KEY_FILE, HUB_JWT_ALGORITHM, HUB_JWT_ISSUER and HUB_JWT_AUDIENCE: remove them from hub.env",
        ),
        rule(
            &is_named("has(self.allowedOrigins) && self.allowedOrigins.size() > 0", "'HUB_ALLOWED_ORIGINS'"),
            "hub.allowedOrigins sets HUB_ALLOWED_ORIGINS: remove it from hub.env",
        ),
        rule(
            &each("limits", &limits),
            "hub.limits sets this variable: remove it from hub.env (HUB_MAX_MESSAGE_BYTES is messageBytes, HUB_MAX_CONNECTIONS is connections, HUB_MAX_ROOMS_PER_CONNECTION is roomsPerConnection, HUB_MESSAGES_PER_SECOND is messagesPerSecond, HUB_CONNECTIONS_PER_SECOND_PER_ADDRESS is connectionsPerSecondPerAddress)",
        ),
        rule(
            &each("history", &history),
            "hub.history sets this variable: remove it from hub.env (HUB_HISTORY_MESSAGES is messages, HUB_HISTORY_SECONDS is retentionSeconds)",
        ),
        rule(
            &is_named("self.rebalance", "'HUB_REBALANCE'"),
            "hub.rebalance sets HUB_REBALANCE: remove it from hub.env",
        ),
    ]
}
