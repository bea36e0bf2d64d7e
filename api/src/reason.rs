//! Why a condition is as it is.

/// Why a condition is as it is, in the form that `status.conditions[].reason` takes. Every reason has a paragraph in
/// `docs/operations.md`, and a test that it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reason {
    // all conditions
    Ready,
    // Ready
    NameTaken,
    ApplyFailed,
    PodTemplateInvalid,
    VolumeNotExpandable,
    Malformed,
    Paused,
    Held,
    // PasswordCurrent
    Current,
    WeakPassword,
    Rotating,
    SecretMissing,
    SecretKeyMissing,
    PasswordInvalid,
    // BackplaneReady
    RedisStarting,
    VolumePending,
    StorageClassMissing,
    RedisCrashing,
    PasswordRejected,
    Unreachable,
    // BackplaneReady and HubReady
    ImagePullFailed,
    Unschedulable,
    PodsRefused,
    // HubReady
    ScaledToZero,
    RollingOut,
    HubCrashing,
    HubNotReady,
    AuthSecretMissing,
    AuthSecretKeyMissing,
    AuthKeyInvalid,
    // Verified
    Verified,
    WaitingForBackplane,
    WaitingForHubs,
    HubNotSubscribed,
    // Published
    Published,
    NotVerified,
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

    /// As it stands in a condition: the variant's name.
    pub fn as_str(self) -> String {
        format!("{self:?}")
    }

    /// Whether a person should hear of it at once, by a warning event. The others are steps on the way.
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
