//! Redis: its StatefulSet, the headless Service of that, and the Service whose name the hubs use.

use std::collections::BTreeMap;

use k8s_openapi::api::apps::v1::{
    StatefulSet, StatefulSetPersistentVolumeClaimRetentionPolicy, StatefulSetSpec,
};
use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, Container, ContainerPort, ExecAction, PersistentVolumeClaim,
    PersistentVolumeClaimSpec, PodSecurityContext, PodSpec, PodTemplateSpec, Probe, Service, ServicePort,
    ServiceSpec, Volume, VolumeResourceRequirements,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;
use serde_json::json;

use super::config::{ACL_DIRECTORY, CONFIG_DIRECTORY, DATA_DIRECTORY, REDIS_CONF};
use super::error::WorkloadError;
use super::meta::meta;
use super::overlay;
use super::pod;
use crate::reconcile::validate::{Auth, Cluster};
use chatcluster_api::Persistence;
use chatcluster_api::names::{self, Component, REDIS_CONTAINER, REDIS_PORT, key};

/// The user and group ids of Redis in its official images.
const REDIS_USER: i64 = 999;
const DATA_VOLUME: &str = "data";
const AUTH_VOLUME: &str = "auth";
const CONFIG_VOLUME: &str = "config";

/// Returns the Service whose name is the hostname that hubs use. It is of type ClusterIP: Redis is never
/// exposed.
pub(super) fn service(cluster: &Cluster) -> Service {
    Service {
        metadata: meta(cluster, names::redis(&cluster.name), Component::Backplane),
        spec: Some(ServiceSpec {
            type_: Some("ClusterIP".to_owned()),
            // The operator owns this field though it is empty: an address that someone adds would expose
            // Redis.
            external_ips: Some(Vec::new()),
            ..service_spec(cluster)
        }),
        ..Service::default()
    }
}

/// Returns the headless Service that gives the StatefulSet's pod its own name.
pub(super) fn nodes_service(cluster: &Cluster) -> Service {
    Service {
        metadata: meta(cluster, names::redis_nodes(&cluster.name), Component::Backplane),
        spec: Some(ServiceSpec {
            cluster_ip: Some("None".to_owned()),
            publish_not_ready_addresses: Some(true),
            ..service_spec(cluster)
        }),
        ..Service::default()
    }
}

fn service_spec(cluster: &Cluster) -> ServiceSpec {
    ServiceSpec {
        selector: Some(names::selector_labels(&cluster.name, Component::Backplane)),
        ports: Some(vec![ServicePort {
            name: Some("redis".to_owned()),
            port: i32::from(REDIS_PORT),
            protocol: Some("TCP".to_owned()),
            target_port: Some(IntOrString::String("redis".to_owned())),
            ..ServicePort::default()
        }]),
        ..ServiceSpec::default()
    }
}

/// Returns the StatefulSet of one Redis. Redis restarts when `auth` or redis.conf changes, for it reads both
/// only when it starts.
pub(super) fn stateful_set(
    cluster: &Cluster,
    auth: &Auth,
    config_hash: &str,
) -> Result<StatefulSet, WorkloadError> {
    let labels = names::labels(&cluster.name, Component::Backplane);
    let restarted = cluster.restart.redis.as_deref().map(|at| (names::RESTARTED_AT, at));
    let template = PodTemplateSpec {
        metadata: Some(ObjectMeta {
            annotations: pod::annotations([
                Some((names::AUTH_REVISION, auth.revision.as_str())),
                Some((names::CONFIG_HASH, config_hash)),
                restarted,
            ]),
            labels: Some(labels.clone()),
            ..ObjectMeta::default()
        }),
        spec: Some(pod_spec(cluster)),
    };
    // The Services, the policies and the operator find the pod by its labels.
    let protected =
        || json!({"metadata": {"labels": labels}, "spec": {"containers": [{"name": REDIS_CONTAINER}]}});
    let overlay = cluster.spec.redis.pod_template.as_ref();
    Ok(StatefulSet {
        metadata: meta(cluster, names::redis(&cluster.name), Component::Backplane),
        spec: Some(StatefulSetSpec {
            replicas: Some(1),
            // With OrderedReady a pod that never gets ready, as with a bad image, is not replaced when the
            // template is mended:
            // https://kubernetes.io/docs/concepts/workloads/controllers/statefulset/#forced-rollback
            pod_management_policy: Some("Parallel".to_owned()),
            service_name: Some(names::redis_nodes(&cluster.name)),
            selector: names::selector(&cluster.name, Component::Backplane),
            template: overlay::apply(template, overlay, protected, "redis.podTemplate")?,
            volume_claim_templates: has_volume(cluster).then(|| vec![claim(cluster)]),
            persistent_volume_claim_retention_policy: Some(StatefulSetPersistentVolumeClaimRetentionPolicy {
                when_deleted: Some(
                    if cluster.spec.redis.storage.retain { "Retain" } else { "Delete" }.to_owned(),
                ),
                when_scaled: Some("Retain".to_owned()),
            }),
            ..StatefulSetSpec::default()
        }),
        ..StatefulSet::default()
    })
}

fn has_volume(cluster: &Cluster) -> bool {
    cluster.spec.redis.persistence != Persistence::None
}

fn claim(cluster: &Cluster) -> PersistentVolumeClaim {
    let storage = &cluster.spec.redis.storage;
    PersistentVolumeClaim {
        metadata: ObjectMeta {
            name: Some(DATA_VOLUME.to_owned()),
            labels: Some(names::labels(&cluster.name, Component::Backplane)),
            ..ObjectMeta::default()
        },
        spec: Some(PersistentVolumeClaimSpec {
            access_modes: Some(vec!["ReadWriteOnce".to_owned()]),
            storage_class_name: storage.storage_class_name.clone(),
            resources: Some(VolumeResourceRequirements {
                requests: Some(BTreeMap::from([("storage".to_owned(), Quantity(storage.size.clone()))])),
                ..VolumeResourceRequirements::default()
            }),
            ..PersistentVolumeClaimSpec::default()
        }),
        ..PersistentVolumeClaim::default()
    }
}

fn pod_spec(cluster: &Cluster) -> PodSpec {
    let image_pull_secrets = cluster.spec.hub.image_pull_secrets.clone();
    let mut volumes = vec![
        // The files are readable by Redis's group, which is the volumes' fsGroup.
        pod::secret_volume(AUTH_VOLUME, names::redis_auth(&cluster.name), &[key::ACL, key::PASSWORD], 0o440),
        Volume {
            name: CONFIG_VOLUME.to_owned(),
            config_map: Some(ConfigMapVolumeSource {
                name: names::redis_config(&cluster.name),
                ..ConfigMapVolumeSource::default()
            }),
            ..Volume::default()
        },
    ];
    if !has_volume(cluster) {
        volumes.push(pod::empty_volume(DATA_VOLUME));
    }
    PodSpec {
        automount_service_account_token: Some(false),
        containers: vec![container(cluster)],
        enable_service_links: Some(false),
        image_pull_secrets: (!image_pull_secrets.is_empty()).then_some(image_pull_secrets),
        security_context: Some(PodSecurityContext {
            run_as_user: Some(REDIS_USER),
            run_as_group: Some(REDIS_USER),
            fs_group: Some(REDIS_USER),
            ..pod::restricted_pod()
        }),
        termination_grace_period_seconds: Some(30),
        volumes: Some(volumes),
        ..PodSpec::default()
    }
}

fn container(cluster: &Cluster) -> Container {
    Container {
        name: REDIS_CONTAINER.to_owned(),
        image: Some(cluster.redis_image.clone()),
        image_pull_policy: Some("IfNotPresent".to_owned()),
        command: Some(vec!["redis-server".to_owned(), format!("{CONFIG_DIRECTORY}/{REDIS_CONF}")]),
        ports: Some(vec![ContainerPort {
            name: Some("redis".to_owned()),
            container_port: i32::from(REDIS_PORT),
            protocol: Some("TCP".to_owned()),
            ..ContainerPort::default()
        }]),
        resources: Some(cluster.spec.redis.resources.clone()),
        // Redis is ready when it takes the password and answers. `--askpass` reads the password from the
        // standard input, so that it is in no argument and no environment; while the data is loaded the
        // answer is an error, not PONG.
        readiness_probe: Some(Probe {
            period_seconds: Some(2),
            timeout_seconds: Some(5),
            failure_threshold: Some(3),
            ..exec_probe(&format!(
                "redis-cli -p {REDIS_PORT} --no-auth-warning --askpass ping <{ACL_DIRECTORY}/{} 2>/dev/null | grep -q PONG",
                key::PASSWORD
            ))
        }),
        // Redis is alive with any answer, even that a password is needed or that the data is still being
        // loaded.
        liveness_probe: Some(Probe {
            period_seconds: Some(10),
            timeout_seconds: Some(5),
            failure_threshold: Some(6),
            ..exec_probe(&format!("redis-cli -p {REDIS_PORT} ping >/dev/null"))
        }),
        security_context: Some(pod::restricted_container()),
        // The last output of Redis is copied to the pod's status, for the condition's message.
        termination_message_policy: Some("FallbackToLogsOnError".to_owned()),
        volume_mounts: Some(vec![
            pod::mount(AUTH_VOLUME, ACL_DIRECTORY, true),
            pod::mount(CONFIG_VOLUME, CONFIG_DIRECTORY, true),
            pod::mount(DATA_VOLUME, DATA_DIRECTORY, false),
        ]),
        ..Container::default()
    }
}

fn exec_probe(script: &str) -> Probe {
    Probe {
        exec: Some(ExecAction { command: Some(vec!["sh".to_owned(), "-c".to_owned(), script.to_owned()]) }),
        ..Probe::default()
    }
}
