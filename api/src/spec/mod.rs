//! `spec`: one file for each part.
//!
//! The variants of its enums have no doc comments: schemars would describe each variant in a `oneOf`, which a
//! structural schema must not have. The doc comments of the fields explain the values instead.

mod clients;
mod cluster;
mod hub;
mod metadata;
mod overlay;
mod redis;
mod resources;
mod rule;
mod service;

pub use clients::{HubAuth, HubHistory, HubLimits, KeySecret, TokenAlgorithm};
pub use cluster::{ChatCluster, ChatClusterSpec, NetworkPolicySpec};
pub use hub::{Autoscaling, Drain, HubSpec, PullPolicy, VerifyMode};
pub use metadata::ChildMetadata;
pub use overlay::Overlay;
pub use redis::{ExistingSecret, Persistence, RedisAuth, RedisSpec, RedisStorage};
pub(crate) use rule::rule;
pub use service::{
    ExternalTrafficPolicy, IpFamily, IpFamilyPolicy, PublishMode, ServiceSpec, ServiceType, SessionAffinity,
};
