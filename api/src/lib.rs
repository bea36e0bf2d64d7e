//! The `ChatCluster` API, shared by the operator, the kubectl plugin and the tests: the types with their
//! defaults and with the rules that the API server enforces (bounds and CEL), the names of a cluster's
//! objects, and the reasons of its conditions.
//!
//! This crate has no Kubernetes client and does not reconcile anything. The doc comments of `spec` and
//! `status` are the descriptions that `kubectl explain chatcluster` prints, so they address the person who
//! writes the manifest.
#![allow(
    clippy::doc_markdown,
    reason = "kubectl explain prints doc comments as plain text, in which backticks mark values only"
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
