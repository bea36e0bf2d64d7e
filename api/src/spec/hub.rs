//! `spec.hub`: the pods that clients connect to.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, LocalObjectReference, ResourceRequirements};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::clients::{HubAuth, HubHistory, HubLimits, variables_of_fields};
use super::overlay::{Overlay, overlay_schema};
use super::resources::requests;
use super::rule::rule;

/// The hubs: the pods that clients connect to.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = hub_rules()))]
pub struct HubSpec {
    /// The number of hub pods. `kubectl scale chatcluster` and autoscalers set it through the scale
    /// subresource. With 0, no client is served, and the condition HubReady says so. Ignored while
    /// `autoscaling` is set. Range: 0 to 1000. Default: 2.
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,

    /// The container image of the hubs. If unset, it is the image that the operator was installed with: the
    /// bundled hub, a SignalR server. Any other image works too if it keeps the hub contract
    /// (docs/bring-your-own-hub.md): it listens on `HUB_PORT`, answers `GET /readyz`, and uses the Redis at
    /// `REDIS_SERVER` and `REDIS_PORT` with the password in the file `REDIS_PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s]+$"))]
    pub image: Option<String>,

    /// Decides when the kubelet pulls the hub image. `IfNotPresent`: if the node does not have it. `Always`:
    /// whenever a hub container starts. `Never`: not at all. Default: `IfNotPresent`.
    pub image_pull_policy: PullPolicy,

    /// The Secrets with the credentials for pulling images, in the namespace of the ChatCluster. They serve
    /// both the hubs' image and Redis's. At most 16.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// The port that the hub listens on inside its pod. It must be at least 1024, because the hub does not
    /// run as root. The container gets it as `HUB_PORT`. Range: 1024 to 65535. Default: 8080.
    #[schemars(range(min = 1024, max = 65535))]
    pub port: u16,

    /// Additional environment variables of the hub container. At most 64. They may refer to the variables of
    /// the hub contract, as in `$(REDIS_SERVER):$(REDIS_PORT)`, but must not replace them, nor set a variable
    /// that another field of `hub` sets.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[schemars(extend("x-kubernetes-validations" = [contract_stays()]))]
    pub env: Vec<EnvVar>,

    /// ConfigMaps and Secrets whose keys become environment variables of the hub container. At most 16. If a
    /// key has the name of a variable that the operator or `env` sets, the key is ignored.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFromSource>,

    /// CPU and memory of each hub container. By default it requests 50m CPU and 64Mi memory and has no
    /// limits; a value of your own replaces this as a whole.
    pub resources: ResourceRequirements,

    /// If set, the operator creates a HorizontalPodAutoscaler, which changes the number of hubs by their CPU
    /// use. It needs a metrics server in the Kubernetes cluster. Leave it unset if an autoscaler of your own
    /// acts on the scale subresource of the ChatCluster.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// If true, the hub container also gets the password of Redis as the environment variable
    /// `REDIS_PASSWORD`, for images that cannot read the file `REDIS_PASSWORD_FILE`. The hub pods are then
    /// replaced whenever the password changes, and everyone who can look into them sees it. Default: false.
    pub password_env: bool,

    /// The time that a hub gets to hand over or disconnect its clients when its pod terminates.
    pub drain: Drain,

    /// A partial pod template that is merged into the hub's pod template (strategic merge), for all settings
    /// without a field of their own: affinity, tolerations, nodeSelector, priorityClassName,
    /// topologySpreadConstraints, sidecars, volumes, probes. Lists merge by their keys (containers, env and
    /// volumes by name); null removes a field, and `$patch: delete` removes a list element. The hub's
    /// container is named `hub`. The operator's labels and the variables of the hub contract cannot be
    /// changed. While the result is not a valid pod template, the hubs stay as they are, and the condition
    /// Ready says why.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "overlay_schema")]
    pub pod_template: Option<Overlay>,

    /// If set, only clients with a valid token (JWT) may connect. If unset, every client may connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<HubAuth>,

    /// The origins of web pages that may connect, as browsers send them, for example `https://example.com`;
    /// `*` alone allows every origin. At most 64, each of at most 300 characters. Pages of the hub itself may
    /// always connect; if unset, no others may. This restricts pages in browsers but not other programs,
    /// which can send any origin. The container gets the list as `HUB_ALLOWED_ORIGINS`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 300)), extend("x-kubernetes-list-type" = "set"))]
    #[schemars(extend("x-kubernetes-validations" = origin_rules()))]
    pub allowed_origins: Vec<String>,

    /// Limits for clients. For a limit that is unset, the hub uses its own default.
    pub limits: HubLimits,

    /// The messages of each room that the hub keeps for clients that join later or reconnect. For a setting
    /// that is unset, the hub uses its own default.
    pub history: HubHistory,

    /// If true, a hub with far more clients than the others asks a few of them each second to reconnect, so
    /// that they spread over all hubs, for example after new hubs were added. The container gets it as
    /// `HUB_REBALANCE`. Default: false.
    pub rebalance: bool,

    /// Decides when a hub counts as working, for the condition Verified. `Backplane`: when it is subscribed
    /// on Redis. `Readiness`: when its pod is ready; for images that subscribe only when the first client
    /// connects, such as ASP.NET Core SignalR. Default: `Backplane`.
    pub verify: VerifyMode,
}

impl Default for HubSpec {
    fn default() -> Self {
        Self {
            replicas: 2,
            image: None,
            image_pull_policy: PullPolicy::default(),
            image_pull_secrets: Vec::new(),
            port: 8080,
            env: Vec::new(),
            env_from: Vec::new(),
            resources: requests("50m", "64Mi"),
            autoscaling: None,
            password_env: false,
            drain: Drain::default(),
            pod_template: None,
            auth: None,
            allowed_origins: Vec::new(),
            limits: HubLimits::default(),
            history: HubHistory::default(),
            rebalance: false,
            verify: VerifyMode::default(),
        }
    }
}

/// Rules against variables that both a field of `hub` and `hub.env` set.
fn hub_rules() -> Vec<Value> {
    let password = rule(
        "!self.passwordEnv || !has(self.env) || !self.env.exists(e, e.name == 'REDIS_PASSWORD')",
        "hub.passwordEnv sets REDIS_PASSWORD: remove it from hub.env",
    );
    [vec![password], variables_of_fields()].concat()
}

/// Rules for `env`: the variables of the hub contract are the operator's.
fn contract_stays() -> Value {
    rule(
        "self.all(e, !(e.name in ['REDIS_SERVER', 'REDIS_PORT', 'REDIS_PASSWORD_FILE', \
         'BACKPLANE_EVENT_KEY', 'POD_NAME', 'POD_IP', 'HUB_PORT', 'HUB_TOKEN_KEY_FILE']))",
        "the operator sets REDIS_SERVER, REDIS_PORT, REDIS_PASSWORD_FILE, BACKPLANE_EVENT_KEY, POD_NAME, \
         POD_IP, HUB_PORT and HUB_TOKEN_KEY_FILE itself: remove them from hub.env (hub.port sets the port, \
         eventKey the event key)",
    )
}

fn origin_rules() -> [Value; 2] {
    [
        rule(
            concat!(
                "self.all(o, o == '*' || ",
                r"(o.matches('^https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?$') ",
                "&& !o.matches('^(http://.*:80|https://.*:443)$')))"
            ),
            "hub.allowedOrigins takes origins as browsers send them, such as https://example.com or \
             http://localhost:3000: in lower case, without a path, and without the default port of the \
             scheme; '*' alone allows every origin",
        ),
        rule(
            "!self.exists(o, o == '*') || self.size() == 1",
            "'*' in hub.allowedOrigins allows every origin: remove either '*' or the other origins",
        ),
    ]
}

/// The bounds of the autoscaler, and the CPU use that it aims at.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [replicas_are_a_range()]))]
pub struct Autoscaling {
    /// The lowest number of hubs. It must not be greater than `maxReplicas`. Range: 1 to 1000. Default: 2.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// The highest number of hubs. Range: 1 to 1000. Default: 10.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,

    /// The average CPU use of the hubs that the autoscaler aims at, in percent of the CPU that
    /// `hub.resources` requests. Above it hubs are added, below it hubs are removed. Range: 1 to 1000.
    /// Default: 80.
    #[serde(rename = "targetCPUUtilizationPercentage")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization_percentage: i32,
}

fn replicas_are_a_range() -> Value {
    rule(
        "self.minReplicas <= self.maxReplicas",
        "hub.autoscaling.minReplicas must not be greater than maxReplicas: lower minReplicas or raise \
         maxReplicas",
    )
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self { min_replicas: 2, max_replicas: 10, target_cpu_utilization_percentage: 80 }
    }
}

/// The time that a hub gets to hand over or disconnect its clients when its pod terminates.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Drain {
    /// The time in seconds that a hub pod has to terminate before it is killed. During the first 3 seconds
    /// the hub works as before, while nodes learn not to send it new clients. In the remaining time it hands
    /// its clients over to other hubs or asks them to reconnect. Range: 5 to 86400. Default: 30.
    #[schemars(range(min = 5, max = 86400))]
    pub grace_period_seconds: i64,
}

impl Default for Drain {
    fn default() -> Self {
        Self { grace_period_seconds: 30 }
    }
}

/// Decides when the kubelet pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum PullPolicy {
    #[default]
    IfNotPresent,
    Always,
    Never,
}

impl PullPolicy {
    /// Returns the value as Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// Decides when a hub counts as working.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
#[allow(missing_docs)]
pub enum VerifyMode {
    #[default]
    Backplane,
    Readiness,
}
