//! The hubs: their Deployment, wired to Redis by its hostname through the hub contract.

use k8s_openapi::api::apps::v1::{Deployment, DeploymentSpec, DeploymentStrategy, RollingUpdateDeployment};
use k8s_openapi::api::core::v1::{
    Container, ContainerPort, EnvVar, EnvVarSource, HTTPGetAction, Lifecycle, LifecycleHandler,
    ObjectFieldSelector, PodSpec, PodTemplateSpec, Probe, SleepAction, TCPSocketAction,
};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{meta, pod};
use crate::names::{self, Component, HUB_CONTAINER, REDIS_PORT, key};
use crate::validate::Cluster;

const PASSWORD_VOLUME: &str = "redis-password";
const PASSWORD_DIRECTORY: &str = "/var/run/secrets/chatcluster";
const TMP_VOLUME: &str = "tmp";
/// How long a hub may take to let its clients go, in seconds.
const GRACE_SECONDS: i64 = 30;
/// How long a hub goes on as before while it is being taken out of the Service, in seconds: a node may still send it
/// connections until it has heard.
const LAME_DUCK_SECONDS: i64 = 3;
/// The name of the hub's port.
pub(super) const PORT_NAME: &str = "http";

pub(super) fn deployment(cluster: &Cluster) -> Deployment {
    Deployment {
        metadata: meta(cluster, names::hub(&cluster.name), Component::Hub),
        spec: Some(DeploymentSpec {
            replicas: Some(cluster.spec.hub.replicas),
            selector: names::selector(&cluster.name, Component::Hub),
            // Never fewer hubs than asked for, not while they are rolled either.
            strategy: Some(DeploymentStrategy {
                type_: Some("RollingUpdate".to_owned()),
                rolling_update: Some(RollingUpdateDeployment {
                    max_surge: Some(IntOrString::String("25%".to_owned())),
                    max_unavailable: Some(IntOrString::Int(0)),
                }),
            }),
            template: PodTemplateSpec {
                metadata: Some(ObjectMeta {
                    labels: Some(names::labels(&cluster.name, Component::Hub)),
                    ..ObjectMeta::default()
                }),
                spec: Some(pod_spec(cluster)),
            },
            ..DeploymentSpec::default()
        }),
        ..Deployment::default()
    }
}

fn pod_spec(cluster: &Cluster) -> PodSpec {
    let image_pull_secrets = cluster.spec.hub.image_pull_secrets.clone();
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(cluster)],
        // Service links would put a REDIS_PORT into every pod of a namespace that has a Service named redis.
        enable_service_links: Some(false),
        image_pull_secrets: (!image_pull_secrets.is_empty()).then_some(image_pull_secrets),
        security_context: Some(pod::restricted_pod()),
        termination_grace_period_seconds: Some(GRACE_SECONDS),
        topology_spread_constraints: Some(vec![pod::spread(&cluster.name, Component::Hub)]),
        volumes: Some(vec![
            // Readable by whatever user the image names: the pod has no group of its own.
            pod::secret_volume(PASSWORD_VOLUME, names::redis_auth(&cluster.name), &[key::PASSWORD], 0o444),
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
        env: Some(contract(cluster).into_iter().chain(hub.env.iter().cloned()).collect()),
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
        // Of any image only this is known: that it listens.
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
            pod::mount(TMP_VOLUME, "/tmp", false),
        ]),
        ..Container::default()
    }
}

/// The environment that every hub gets, whatever its image.
fn contract(cluster: &Cluster) -> Vec<EnvVar> {
    vec![
        value("REDIS_SERVER", names::redis(&cluster.name)),
        value("REDIS_PORT", REDIS_PORT.to_string()),
        value("REDIS_PASSWORD_FILE", format!("{PASSWORD_DIRECTORY}/{}", key::PASSWORD)),
        value("BACKPLANE_EVENT_KEY", cluster.event_key.clone()),
        field("POD_NAME", "metadata.name"),
        field("POD_IP", "status.podIP"),
        value("HUB_PORT", cluster.spec.hub.port.to_string()),
    ]
}

fn value(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}

fn field(name: &str, path: &str) -> EnvVar {
    let source = ObjectFieldSelector { api_version: Some("v1".to_owned()), field_path: path.to_owned() };
    EnvVar {
        name: name.to_owned(),
        value: None,
        value_from: Some(EnvVarSource { field_ref: Some(source), ..EnvVarSource::default() }),
    }
}
