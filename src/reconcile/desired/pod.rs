//! The parts that the pods of both components share: the `restricted` pod security standard, and small
//! builders.

use std::collections::BTreeMap;

use k8s_openapi::api::core::v1::{
    Capabilities, EmptyDirVolumeSource, EnvVar, KeyToPath, PodSecurityContext, SeccompProfile,
    SecretVolumeSource, SecurityContext, TopologySpreadConstraint, Volume, VolumeMount,
};

use chatcluster_api::names::{self, Component};

/// Returns the pod's half of `restricted`. See
/// <https://kubernetes.io/docs/concepts/security/pod-security-standards/#restricted>.
pub(super) fn restricted_pod() -> PodSecurityContext {
    PodSecurityContext {
        run_as_non_root: Some(true),
        seccomp_profile: Some(SeccompProfile {
            type_: "RuntimeDefault".to_owned(),
            ..SeccompProfile::default()
        }),
        ..PodSecurityContext::default()
    }
}

/// Returns the container's half of `restricted`, and a read-only root.
pub(super) fn restricted_container() -> SecurityContext {
    SecurityContext {
        allow_privilege_escalation: Some(false),
        capabilities: Some(Capabilities { drop: Some(vec!["ALL".to_owned()]), ..Capabilities::default() }),
        read_only_root_filesystem: Some(true),
        ..SecurityContext::default()
    }
}

/// Returns constraints that prefer to spread the pods of a component over zones and nodes, and let them be
/// scheduled where that is impossible.
pub(super) fn spread(instance: &str, component: Component) -> Vec<TopologySpreadConstraint> {
    ["topology.kubernetes.io/zone", "kubernetes.io/hostname"]
        .into_iter()
        .map(|key| TopologySpreadConstraint {
            label_selector: Some(names::selector(instance, component)),
            max_skew: 1,
            topology_key: key.to_owned(),
            when_unsatisfiable: "ScheduleAnyway".to_owned(),
            ..TopologySpreadConstraint::default()
        })
        .collect()
}

/// Returns the annotations that are set; `None` if none is.
pub(super) fn annotations<'a>(
    some: impl IntoIterator<Item = Option<(&'a str, &'a str)>>,
) -> Option<BTreeMap<String, String>> {
    let some: BTreeMap<_, _> =
        some.into_iter().flatten().map(|(k, v)| (k.to_owned(), v.to_owned())).collect();
    (!some.is_empty()).then_some(some)
}

/// Returns a volume with some keys of the Secret `name`, as files of those names. `mode`: their permission
/// bits.
pub(super) fn secret_volume(volume: &str, name: String, keys: &[&str], mode: i32) -> Volume {
    let item = |key: &&str| KeyToPath { key: (*key).to_owned(), path: (*key).to_owned(), mode: None };
    Volume {
        name: volume.to_owned(),
        secret: Some(SecretVolumeSource {
            secret_name: Some(name),
            items: Some(keys.iter().map(item).collect()),
            default_mode: Some(mode),
            ..SecretVolumeSource::default()
        }),
        ..Volume::default()
    }
}

/// Returns an empty, writable volume that ends with the pod.
pub(super) fn empty_volume(volume: &str) -> Volume {
    Volume { name: volume.to_owned(), empty_dir: Some(EmptyDirVolumeSource::default()), ..Volume::default() }
}

/// Returns a mount of `volume` at `path`.
pub(super) fn mount(volume: &str, path: &str, read_only: bool) -> VolumeMount {
    VolumeMount {
        name: volume.to_owned(),
        mount_path: path.to_owned(),
        read_only: read_only.then_some(true),
        ..VolumeMount::default()
    }
}

/// Returns a variable with this value.
pub(super) fn variable(name: &str, value: String) -> EnvVar {
    EnvVar { name: name.to_owned(), value: Some(value), value_from: None }
}
