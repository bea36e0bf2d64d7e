//! The `ChatCluster` API, as the operator, the kubectl plugin and the tests share it: the types with their defaults and the
//! rules that the API server itself enforces (bounds and CEL), the names of a cluster's objects, and the reasons of its
//! conditions.
//!
//! No client and no reconcile lives here. The doc comments of the types are the descriptions that
//! `kubectl explain chatcluster` prints, so they are written for the person who writes the manifest.
#![allow(
    clippy::doc_markdown,
    reason = "kubectl explain prints descriptions as they stand, backticks and all"
)]

mod crd;
pub mod diagnose;
pub mod names;
pub mod pods;
mod reason;
mod spec;
mod status;

pub use crd::crd;
pub use reason::Reason;
pub use spec::{
    Autoscaling, ChatCluster, ChatClusterSpec, ChildMetadata, Drain, ExistingSecret, ExternalTrafficPolicy,
    HubAuth, HubHistory, HubLimits, HubSpec, IpFamily, IpFamilyPolicy, KeySecret, NetworkPolicySpec, Overlay,
    Persistence, PublishMode, PullPolicy, RedisAuth, RedisSpec, RedisStorage, ServiceSpec, ServiceType,
    SessionAffinity, TokenAlgorithm, VerifyMode,
};
pub use status::{ChatClusterStatus, ConditionType, HubStatus, Pending, PendingAction, Restarts};
