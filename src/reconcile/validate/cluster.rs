//! A `ChatCluster` with every default filled in.

use std::borrow::Cow;

use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Resource, ResourceExt};
use thiserror::Error;

use chatcluster_api::{ChatCluster, ChatClusterSpec, names};

/// The settings of the operator that all clusters share.
#[derive(Clone, Debug)]
pub struct Defaults {
    /// The image of hubs where the spec names none.
    pub hub_image: String,
    /// The image of Redis where the spec names none.
    pub redis_image: String,
    /// The namespace of the operator, from which Redis must be reachable for its PING; `None` when the
    /// operator runs outside of the cluster.
    pub operator_namespace: Option<String>,
    /// True if every cluster is held as if it were paused.
    pub hold: bool,
}

/// A `ChatCluster` with its identity and every default filled in.
#[derive(Clone, Debug)]
pub struct Cluster {
    /// `metadata.name`.
    pub name: String,
    /// `metadata.namespace`.
    pub namespace: String,
    /// `metadata.uid`.
    pub uid: String,
    /// The owner reference of its children. It has no `blockOwnerDeletion`, which would need one more
    /// permission.
    pub owner: OwnerReference,
    /// The name under which messages are published on Redis.
    pub event_key: String,
    /// The hub's image.
    pub hub_image: String,
    /// Redis's image.
    pub redis_image: String,
    /// The last requests to restart: the values of the annotations [`names::RESTART_HUB`] and
    /// [`names::RESTART_REDIS`].
    pub restart: Restart,
    /// The reason for which the operator changes nothing; `None` if it does.
    pub held: Option<HoldReason>,
    /// The spec, for everything else.
    pub spec: ChatClusterSpec,
}

/// The restarts that were requested by annotations: pods restart when the text changes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Restart {
    /// The request for the hubs.
    pub hub: Option<String>,
    /// The request for Redis.
    pub redis: Option<String>,
}

/// The reason for which the operator changes nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HoldReason {
    /// `spec.paused` is true.
    Paused,
    /// The operator was started with `--hold`.
    Hold,
}

/// The metadata that every object from an API server has and this one lacks.
#[derive(Debug, Error)]
#[error("the ChatCluster has no {0}: it does not come from an API server")]
pub struct Incomplete(&'static str);

impl Cluster {
    /// Fills in the defaults of a `ChatCluster` as the API server delivered it.
    ///
    /// # Errors
    /// If it lacks metadata that every stored object has.
    pub fn new(object: &ChatCluster, defaults: &Defaults) -> Result<Self, Incomplete> {
        let namespace = object.namespace().ok_or(Incomplete("namespace"))?;
        let uid = object.uid().ok_or(Incomplete("uid"))?;
        let mut owner = object.controller_owner_ref(&()).ok_or(Incomplete("name"))?;
        owner.block_owner_deletion = None;
        let name = object.name_any();
        let spec = object.spec.clone();
        let annotation = |name| object.annotations().get(name).cloned();
        let held = match (spec.paused, defaults.hold) {
            (true, _) => Some(HoldReason::Paused),
            (false, true) => Some(HoldReason::Hold),
            (false, false) => None,
        };
        Ok(Self {
            restart: Restart { hub: annotation(names::RESTART_HUB), redis: annotation(names::RESTART_REDIS) },
            held,
            event_key: spec.event_key.clone().unwrap_or_else(|| format!("{namespace}.{name}")),
            hub_image: spec.hub.image.clone().unwrap_or_else(|| defaults.hub_image.clone()),
            redis_image: spec.redis.image.clone().unwrap_or_else(|| defaults.redis_image.clone()),
            name,
            namespace,
            uid,
            owner,
            spec,
        })
    }
}

impl Cluster {
    /// Returns the cluster with a volume of that size, for a volume that cannot have the spec's; without
    /// change if `size` is `None`.
    pub fn with_volume_of(&self, size: Option<&str>) -> Cow<'_, Self> {
        let Some(size) = size else { return Cow::Borrowed(self) };
        let mut cluster = self.clone();
        size.clone_into(&mut cluster.spec.redis.storage.size);
        Cow::Owned(cluster)
    }

    /// Returns the number of hubs that the spec asks for; `None`: an autoscaler decides.
    pub fn replicas(&self) -> Option<i32> {
        self.spec.hub.autoscaling.is_none().then_some(self.spec.hub.replicas)
    }
}

/// Returns the selector of the hub pods, for `status.hub.selector`.
pub fn hub_selector(cluster: &Cluster) -> String {
    names::selector_string(&cluster.name, names::Component::Hub)
}
