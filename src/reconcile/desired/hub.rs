//! The hubs: their Deployment, wired to Redis by its hostname through the hub contract.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, Lifecycle, LifecycleHandler,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe, SecretKeySelector, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::{Value, json};

use super::error::WorkloadError;
use super::meta::meta;
use super::overlay;
use super::pod::{self, variable};
use super::settings;
use crate::reconcile::validate::hub_keys::HubKeys;
use crate::reconcile::validate::{Auth, Cluster};
use chatcluster_api::Drain;
use chatcluster_api::names::{self, Component, HUB_CONTAINER, REDIS_PORT, hub_key, key};

const PASSWORD_VOLUME: &str = "redis-password";
const PASSWORD_DIRECTORY: &str = "/var/run/secrets/chatcluster";
const KEYS_VOLUME: &str = "hub-token";
const KEYS_DIRECTORY: &str = "/var/run/secrets/chatcluster-hub";
const TMP_VOLUME: &str = "tmp";
/// The time for which a hub goes on as before while it is taken out of the Service, in seconds: nodes that do
/// not know of that yet may still send it connections.
const LAME_DUCK_SECONDS: i64 = 3;
/// The part of the grace period that is left when our own hub has closed its connections, in seconds: time to
/// exit by itself, before it is killed.
const EXIT_SECONDS: i64 = 2;
/// The name of the hub's port.
pub(super) const PORT_NAME: &str = "http";

/// Returns the Deployment. While the spec asks for an autoscaler it has no number of replicas, which the
/// autoscaler then owns.
pub(super) fn deployment(
    cluster: &Cluster,
    auth: &Auth,
    keys: &HubKeys,
) -> Result<Deployment, WorkloadError> {
    if let Some(error) = &keys.client_key_error {
        return Err(error.clone().into());
    }
    let hub = &cluster.spec.hub;
    Ok(Deployment {
        metadata: meta(cluster, names::hub(&cluster.name), Component::Hub),
        spec: Some(DeploymentSpec {
            replicas: hub.autoscaling.is_none().then_some(hub.replicas),
            selector: names::selector(&cluster.name, Component::Hub),
            // The number of hubs never falls below the desired one, not even in a rollout.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: overlay::apply(
                template(cluster, auth, keys),
                hub.pod_template.as_ref(),
                || protected(cluster),
                "hub.podTemplate",
            )?,
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    })
}

fn template(cluster: &Cluster, auth: &Auth, keys: &HubKeys) -> PodTemplateSpec {
    let revision = cluster.spec.hub.password_env.then_some((names::AUTH_REVISION, auth.revision.as_str()));
    let restarted = cluster.restart.hub.as_deref().map(|at| (names::RESTARTED_AT, at));
    PodTemplateSpec {
        metadata: Some(ObjectMeta {
            labels: Some(names::labels(&cluster.name, Component::Hub)),
            annotations: pod::annotations([
                Some((names::TOKEN_REVISION, keys.revision.as_str())),
                revision,
                restarted,
            ]),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(cluster, keys)),
    }
}

/// Returns the fields that no overlay may change: the Services, the policies and the operator find the pod by
/// its labels, its image relies on the hub contract, and `hub.auth` decides who is let in.
fn protected(cluster: &Cluster) -> Value {
    json!({
        "metadata": {"labels": names::labels(&cluster.name, Component::Hub)},
        "spec": {"containers": [{"name": HUB_CONTAINER, "env": protected_variables(cluster).collect::<Vec<_>>()}]},
    })
}

fn pod_spec(cluster: &Cluster, keys: &HubKeys) -> PodSpec {
    let image_pull_secrets = cluster.spec.hub.image_pull_secrets.clone();
    let hub_keys: Vec<&str> =
        [hub_key::TOKEN].into_iter().chain(keys.client_keys.keys().map(String::as_str)).collect();
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(cluster)],
        // Service links would put a REDIS_PORT into every pod of a namespace that has a Service named redis.
        enable_service_links: Some(false),
        image_pull_secrets: (!image_pull_secrets.is_empty()).then_some(image_pull_secrets),
        security_context: Some(pod::restricted_pod()),
        termination_grace_period_seconds: Some(cluster.spec.hub.drain.grace_period_seconds),
        topology_spread_constraints: Some(pod::spread(&cluster.name, Component::Hub)),
        volumes: Some(vec![
            // The files are readable by any user that the image may name: the pod has no group of its own.
            pod::secret_volume(PASSWORD_VOLUME, names::redis_auth(&cluster.name), &[key::PASSWORD], 0o444),
            pod::secret_volume(KEYS_VOLUME, names::hub_token(&cluster.name), &hub_keys, 0o444),
            pod::empty_volume(TMP_VOLUME),
        ]),
        ..PodSpec::default()
    }
}

fn container(cluster: &Cluster) -> Container {
    let hub = &cluster.spec.hub;
    Container {
        name: HUB_CONTAINER.to_owned(),
        image: Some(cluster.hub_image.clone()),
        image_pull_policy: Some(hub.image_pull_policy.as_str().to_owned()),
        // The contract comes first: a variable can refer only to those before it.
        env: Some(
            protected_variables(cluster)
                .chain(drain(cluster))
                .chain(settings::variables(hub))
                .chain(hub.env.iter().cloned())
                .collect(),
        ),
        env_from: (!hub.env_from.is_empty()).then(|| hub.env_from.clone()),
        lifecycle: Some(Lifecycle {
            pre_stop: Some(LifecycleHandler {
                sleep: Some(SleepAction { seconds: LAME_DUCK_SECONDS }),
                ..LifecycleHandler::default()
            }),
            ..Lifecycle::default()
        }),
        ports: Some(vec![ContainerPort {
            name: Some(PORT_NAME.to_owned()),
            container_port: i32::from(hub.port),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        readiness_probe: Some(Probe {
            http_get: Some(HTTPGetAction {
                path: Some("/readyz".to_owned()),
                port: IntOrString::String(PORT_NAME.to_owned()),
                ..HTTPGetAction::default()
            }),
            period_seconds: Some(2),
            timeout_seconds: Some(2),
            failure_threshold: Some(2),
            ..Probe::default()
        }),
        // All that is known of any image is that it listens.
        liveness_probe: Some(Probe {
            tcp_socket: Some(TCPSocketAction {
                port: IntOrString::String(PORT_NAME.to_owned()),
                ..TCPSocketAction::default()
            }),
            initial_delay_seconds: Some(10),
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..Probe::default()
        }),
        resources: Some(hub.resources.clone()),
        security_context: Some(pod::restricted_container()),
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(vec![
            pod::mount(PASSWORD_VOLUME, PASSWORD_DIRECTORY, true),
            pod::mount(KEYS_VOLUME, KEYS_DIRECTORY, true),
            pod::mount(TMP_VOLUME, "/tmp", false),
        ]),
        ..Container::default()
    }
}

/// Returns the variables that no overlay may change.
fn protected_variables(cluster: &Cluster) -> impl Iterator<Item = EnvVar> {
    contract(cluster).into_iter().chain(settings::auth_variables(&cluster.spec.hub, KEYS_DIRECTORY))
}

/// Returns the hub contract: the environment that every hub gets, whatever its image.
fn contract(cluster: &Cluster) -> Vec<EnvVar> {
    let mut contract = vec![
        variable("REDIS_SERVER", names::redis(&cluster.name)),
        variable("REDIS_PORT", REDIS_PORT.to_string()),
        variable("REDIS_PASSWORD_FILE", format!("{PASSWORD_DIRECTORY}/{}", key::PASSWORD)),
        variable("BACKPLANE_EVENT_KEY", cluster.event_key.clone()),
        field("POD_NAME", "metadata.name"),
        field("POD_IP", "status.podIP"),
        variable("HUB_PORT", cluster.spec.hub.port.to_string()),
        variable("HUB_TOKEN_KEY_FILE", format!("{KEYS_DIRECTORY}/{}", hub_key::TOKEN)),
    ];
    if cluster.spec.hub.password_env {
        contract.push(variable_from(
            "REDIS_PASSWORD",
            EnvVarSource {
                secret_key_ref: Some(SecretKeySelector {
                    name: names::redis_auth(&cluster.name),
                    key: key::PASSWORD.to_owned(),
                    optional: None,
                }),
                ..EnvVarSource::default()
            },
        ));
    }
    contract
}

/// Returns the variable that tells our own hub of a grace period that is not the default, unless the user
/// sets it.
fn drain(cluster: &Cluster) -> Option<EnvVar> {
    const NAME: &str = "HUB_SHUTDOWN_GRACE";
    let (hub, grace) = (&cluster.spec.hub, cluster.spec.hub.drain.grace_period_seconds);
    if hub.drain == Drain::default() || hub.env.iter().any(|env| env.name == NAME) {
        return None;
    }
    Some(variable(NAME, (grace - LAME_DUCK_SECONDS - EXIT_SECONDS).max(1).to_string()))
}

fn field(name: &str, path: &str) -> EnvVar {
    let source = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() };
    variable_from(name, EnvVarSource { field_ref: Some(source), ..EnvVarSource::default() })
}

fn variable_from(name: &str, source: EnvVarSource) -> EnvVar {
    EnvVar { name: name.to_owned(), value: None, value_from: Some(source) }
}
