//! `spec`: one file for each part of it.

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
