//! `spec.hub`: the servers that clients connect to.

use k8s_openapi::api::core::v1::{EnvFromSource, EnvVar, LocalObjectReference, ResourceRequirements};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::clients::{HubAuth, HubHistory, HubLimits, variables_of_fields};
use super::overlay::{Overlay, overlay_schema};
use super::resources::requests;
use super::rule::rule;

/// The hubs: the servers that clients connect to.
#[derive(JsonSchema, Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = variables_once()))]
pub struct HubSpec {
    /// How many hub pods run. `kubectl scale chatcluster` and autoscalers set it through the scale subresource. With 0
    /// nobody is served, and the condition HubReady says so. Not used while `autoscaling` is set.
    #[schemars(range(min = 0, max = 1000))]
    pub replicas: i32,

    /// The image of the hub. The default is the hub that the operator was installed with. Any image will do that honours
    /// the hub contract: it listens on `HUB_PORT`, answers `GET /readyz`, and talks to the Redis of `REDIS_SERVER`,
    /// `REDIS_PORT` and the password in the file `REDIS_PASSWORD_FILE`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(length(min = 1, max = 512), regex(pattern = r"^[^\s]+$"))]
    pub image: Option<String>,

    /// When the kubelet pulls the image: `IfNotPresent`, `Always` or `Never`.
    pub image_pull_policy: PullPolicy,

    /// Secrets of this namespace with which the hub's and Redis's images are pulled.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub image_pull_secrets: Vec<LocalObjectReference>,

    /// The port that the hub listens on inside its pod, at least 1024 because it does not run as root. The container gets it as `HUB_PORT`.
    #[schemars(range(min = 1024, max = 65535))]
    pub port: u16,

    /// More environment variables of the hub container. They may refer to those of the hub contract, as in
    /// `$(REDIS_SERVER):$(REDIS_PORT)`, but not replace them, nor set what a field of `hub` sets already.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(
        length(max = 64),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    #[schemars(extend("x-kubernetes-validations" = [rule("self.all(e, !(e.name in ['REDIS_SERVER', 'REDIS_PORT', 'REDIS_PASSWORD_FILE', 'BACKPLANE_EVENT_KEY', 'POD_NAME', 'POD_IP', 'HUB_PORT', 'HUB_TOKEN_KEY_FILE']))", "the operator sets REDIS_SERVER, REDIS_PORT, REDIS_PASSWORD_FILE, BACKPLANE_EVENT_KEY, POD_NAME, POD_IP, HUB_PORT and HUB_TOKEN_KEY_FILE itself: remove them from hub.env (the port is hub.port, the event key is eventKey)")]))]
    pub env: Vec<EnvVar>,

    /// ConfigMaps and Secrets whose keys become environment variables of the hub container. Where one has the name of a
    /// variable that the operator or `env` sets, that one counts.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16))]
    pub env_from: Vec<EnvFromSource>,

    /// CPU and memory of one hub. The default requests 50m and 64Mi, without limits.
    pub resources: ResourceRequirements,

    /// Has the operator make a HorizontalPodAutoscaler, which then decides how many hubs run. It needs a metrics server.
    /// An autoscaler of your own may act on the ChatCluster's scale subresource instead: then leave this out.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub autoscaling: Option<Autoscaling>,

    /// Gives the hub container the password as the environment variable `REDIS_PASSWORD` too, for images that cannot read
    /// the file `REDIS_PASSWORD_FILE`. Such hubs are rolled when the password changes, and whoever may look into their
    /// pods sees it.
    pub password_env: bool,

    /// How a hub lets its clients go when its pod ends.
    pub drain: Drain,

    /// Laid over the hub's pod template by strategic merge, for whatever has no field of its own: affinity, tolerations,
    /// nodeSelector, priorityClassName, topologySpreadConstraints, sidecars, volumes, probes. Lists merge by their keys
    /// (containers, env and volumes by name); null removes a field, and `$patch: delete` an element. The hub's
    /// container is named `hub`. What the operator counts on (its labels, the variables of the hub contract) cannot be changed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(schema_with = "overlay_schema")]
    pub pod_template: Option<Overlay>,

    /// Lets only clients in that show a valid token. Without it everyone gets in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub auth: Option<HubAuth>,

    /// The origins whose pages may connect, as browsers send them, such as `https://example.com`; `*` alone admits all.
    /// The hub's own pages always may. It keeps out pages, not programs: those send what they like. The container gets them
    /// as `HUB_ALLOWED_ORIGINS`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 300)), extend("x-kubernetes-list-type" = "set"))]
    #[schemars(extend("x-kubernetes-validations" = [rule(r"self.all(o, o == '*' || (o.matches('^https?://([a-z0-9]([-a-z0-9.]*[a-z0-9])?|\\[[0-9a-f:.]+\\])(:[1-9][0-9]{0,4})?$') && !o.matches('^(http://.*:80|https://.*:443)$')))", "hub.allowedOrigins takes origins as browsers send them, such as https://example.com or http://localhost:3000: in lower case, without a path, and without the port if it is the scheme's own; or '*' alone for all"), rule("!self.exists(o, o == '*') || self.size() == 1", "'*' in hub.allowedOrigins admits all: remove the others, or '*'")]))]
    pub allowed_origins: Vec<String>,

    /// How much clients may do.
    pub limits: HubLimits,

    /// What is kept of each room, for those who come back.
    pub history: HubHistory,

    /// Has a hub with far more clients than the others let some go, a few each second: they reconnect, to whichever hub.
    /// The container gets it as `HUB_REBALANCE`.
    pub rebalance: bool,

    /// When a hub counts as verified. `Backplane`: once it is seen subscribed on Redis. `Readiness`: once its pod is
    /// ready, for images that subscribe only when a client comes, as ASP.NET Core SignalR does.
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

/// No variable is set twice.
fn variables_once() -> Vec<serde_json::Value> {
    let password = rule(
        "!self.passwordEnv || !has(self.env) || !self.env.exists(e, e.name == 'REDIS_PASSWORD')",
        "hub.passwordEnv sets REDIS_PASSWORD: remove it from hub.env",
    );
    [vec![password], variables_of_fields()].concat()
}

/// Between how many hubs an autoscaler chooses, and by what.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
#[schemars(extend("x-kubernetes-validations" = [rule("self.minReplicas <= self.maxReplicas", "hub.autoscaling.minReplicas must not be greater than maxReplicas: lower the one or raise the other")]))]
pub struct Autoscaling {
    /// The fewest hubs.
    #[schemars(range(min = 1, max = 1000))]
    pub min_replicas: i32,

    /// The most hubs.
    #[schemars(range(min = 1, max = 1000))]
    pub max_replicas: i32,

    /// The mean CPU use that hubs are added or removed for, in percent of what `hub.resources` requests.
    #[serde(rename = "targetCPUUtilizationPercentage")]
    #[schemars(range(min = 1, max = 1000))]
    pub target_cpu_utilization_percentage: i32,
}

impl Default for Autoscaling {
    fn default() -> Self {
        Self { min_replicas: 2, max_replicas: 10, target_cpu_utilization_percentage: 80 }
    }
}

/// How a hub lets its clients go when its pod ends.
#[derive(JsonSchema, Clone, Debug, PartialEq, Eq, Deserialize, Serialize)]
#[serde(default, rename_all = "camelCase")]
pub struct Drain {
    /// How long a hub may take from when it is asked to end until it is killed, in seconds. In the first three it goes
    /// on as before, while nodes learn not to send it new clients.
    #[schemars(range(min = 5, max = 86400))]
    pub grace_period_seconds: i64,
}

impl Default for Drain {
    fn default() -> Self {
        Self { grace_period_seconds: 30 }
    }
}

/// When the kubelet pulls an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum PullPolicy {
    // No doc comments on the variants: schemars would describe each in a `oneOf`, which no structural schema may have.
    #[default]
    #[allow(missing_docs)]
    IfNotPresent,
    #[allow(missing_docs)]
    Always,
    #[allow(missing_docs)]
    Never,
}

impl PullPolicy {
    /// As Kubernetes spells it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::IfNotPresent => "IfNotPresent",
            Self::Always => "Always",
            Self::Never => "Never",
        }
    }
}

/// When a hub counts as verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, Serialize, JsonSchema)]
#[schemars(inline)]
pub enum VerifyMode {
    #[default]
    #[allow(missing_docs)]
    Backplane,
    #[allow(missing_docs)]
    Readiness,
}
