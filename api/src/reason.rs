//! The reasons of conditions.

/// The reason of a condition, as it appears in `status.conditions[].reason`. Each reason has a section in
/// `docs/operations.md`, which a test checks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    // Reasons that several conditions share.
    /// The condition is True: the cluster, Redis or the hubs are ready.
    Ready,

    // Ready, in addition to the reasons of all other conditions.
    /// An object with the name of one that the operator needs exists but does not belong to this
    /// `ChatCluster`.
    NameTaken,
    /// The API server refused an object that the operator wrote.
    ApplyFailed,
    /// `hub.podTemplate` or `redis.podTemplate` is not a valid part of a pod template, or changes a
    /// protected field.
    PodTemplateInvalid,
    /// `redis.storage.size` has grown, but the storage class does not allow volume expansion.
    VolumeNotExpandable,
    /// The stored `ChatCluster` has a value that the operator cannot read.
    Malformed,
    /// `spec.paused` is true, so the operator changes nothing.
    Paused,
    /// The operator was started with `--hold`, so it changes nothing.
    Held,

    // PasswordCurrent
    /// The condition is True: the active password is the one that the spec names.
    Current,
    /// The condition is True, but the password of the user's own Secret is easy to guess.
    WeakPassword,
    /// The password has changed, and Redis has not restarted with the new one yet.
    Rotating,
    /// The Secret of `redis.auth.existingSecret` does not exist.
    SecretMissing,
    /// The Secret of `redis.auth.existingSecret` does not have the key that the spec names.
    SecretKeyMissing,
    /// The password in the user's own Secret cannot be used, for example because it is empty.
    PasswordInvalid,

    // BackplaneReady
    /// The Redis pod does not exist yet, or is not ready yet.
    RedisStarting,
    /// The claim for Redis's volume has no volume yet, although its storage class exists.
    VolumePending,
    /// The storage class of Redis's volume does not exist, or none is named and there is no default class.
    StorageClassMissing,
    /// The Redis container keeps crashing.
    RedisCrashing,
    /// Redis answers but refuses the active password.
    PasswordRejected,
    /// The Redis pod is ready but does not answer the operator.
    Unreachable,

    // BackplaneReady and HubReady
    /// A node cannot pull the image of a pod.
    ImagePullFailed,
    /// The scheduler finds no node for a pod.
    Unschedulable,
    /// Kubernetes refuses to create the pods, or the kubelet cannot start their container.
    PodsRefused,

    // HubReady
    /// `hub.replicas` is 0, so no client is served.
    ScaledToZero,
    /// Hub pods are being created, replaced or added.
    RollingOut,
    /// The container of a hub keeps crashing.
    HubCrashing,
    /// A hub is running but does not become ready: `GET /readyz` does not return 200.
    HubNotReady,
    /// The Secret of `hub.auth.keySecret` does not exist.
    AuthSecretMissing,
    /// The Secret of `hub.auth.keySecret` does not have the key that the spec names.
    AuthSecretKeyMissing,
    /// The value in the Secret of `hub.auth.keySecret` is not a valid key for `hub.auth.algorithm`.
    AuthKeyInvalid,

    // Verified
    /// The condition is True: every ready hub is seen subscribed on Redis, or is verified by its readiness.
    Verified,
    /// Hubs cannot be verified before `BackplaneReady` is True.
    WaitingForBackplane,
    /// Hubs cannot be verified before `HubReady` is True.
    WaitingForHubs,
    /// A hub is ready but is not seen subscribed on Redis.
    HubNotSubscribed,

    // Published
    /// The condition is True: the public Service exists and has an address.
    Published,
    /// The public Service is not created before the hubs are verified.
    NotVerified,
    /// The public Service exists, but no load balancer has given it an address yet.
    AddressPending,
}

impl Reason {
    /// Every reason.
    pub const ALL: [Self; 37] = [
        Self::Ready,
        Self::NameTaken,
        Self::ApplyFailed,
        Self::PodTemplateInvalid,
        Self::VolumeNotExpandable,
        Self::Malformed,
        Self::Paused,
        Self::Held,
        Self::Current,
        Self::WeakPassword,
        Self::Rotating,
        Self::SecretMissing,
        Self::SecretKeyMissing,
        Self::PasswordInvalid,
        Self::RedisStarting,
        Self::VolumePending,
        Self::StorageClassMissing,
        Self::RedisCrashing,
        Self::PasswordRejected,
        Self::Unreachable,
        Self::ImagePullFailed,
        Self::Unschedulable,
        Self::PodsRefused,
        Self::ScaledToZero,
        Self::RollingOut,
        Self::HubCrashing,
        Self::HubNotReady,
        Self::AuthSecretMissing,
        Self::AuthSecretKeyMissing,
        Self::AuthKeyInvalid,
        Self::Verified,
        Self::WaitingForBackplane,
        Self::WaitingForHubs,
        Self::HubNotSubscribed,
        Self::Published,
        Self::NotVerified,
        Self::AddressPending,
    ];

    /// Returns the text that conditions hold: the name of the variant.
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }

    /// Returns true if the reason needs a person's attention, so that a warning event reports it. The other
    /// reasons are normal states, or steps that pass by themselves.
    pub fn is_problem(self) -> bool {
        matches!(
            self,
            Self::NameTaken
                | Self::ApplyFailed
                | Self::PodTemplateInvalid
                | Self::VolumeNotExpandable
                | Self::WeakPassword
                | Self::Malformed
                | Self::SecretMissing
                | Self::SecretKeyMissing
                | Self::PasswordInvalid
                | Self::StorageClassMissing
                | Self::RedisCrashing
                | Self::PasswordRejected
                | Self::Unreachable
                | Self::ImagePullFailed
                | Self::Unschedulable
                | Self::PodsRefused
                | Self::HubCrashing
                | Self::HubNotReady
                | Self::AuthSecretMissing
                | Self::AuthSecretKeyMissing
                | Self::AuthKeyInvalid
        )
    }
}
