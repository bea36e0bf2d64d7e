//! The sample that the demo applies.

/// The name of its `ChatCluster`.
pub(super) const CHAT: &str = "lobby";
/// Its namespace: the manifest names none.
pub(super) const NAMESPACE: &str = "default";
