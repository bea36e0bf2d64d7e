//! What the bench's clusters are called.

/// How many clusters share a namespace.
const IN_A_NAMESPACE: usize = 25;

/// Clusters of one kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// The operator's
    Operator,
    /// The floor's
    Floor,
}

impl Set {
    fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "bench-",
            Self::Floor => "floor-",
        }
    }

    /// All namespaces of so many clusters.
    pub(crate) fn namespaces(self, clusters: usize) -> Vec<String> {
        (0..clusters.div_ceil(IN_A_NAMESPACE)).map(|n| format!("{}{n:03}", self.prefix())).collect()
    }

    pub(crate) fn has(self, namespace: &str) -> bool {
        namespace.starts_with(self.prefix())
    }

    /// The cluster's namespace.
    pub(crate) fn namespace(self, cluster: usize) -> String {
        format!("{}{:03}", self.prefix(), cluster / IN_A_NAMESPACE)
    }
}

/// The cluster's name.
pub(crate) fn name(cluster: usize) -> String {
    format!("c{cluster:05}")
}

/// Which cluster a child of that name belongs to.
pub(crate) fn cluster_of(child: &str) -> Option<usize> {
    child.strip_prefix('c')?.get(..5)?.parse().ok()
}

/// Where clusters of a namespace are.
pub(crate) fn collection(namespace: &str) -> String {
    format!("/apis/chatcluster.dev/v1alpha1/namespaces/{namespace}/chatclusters")
}

/// Where one of the operator's clusters is.
pub(crate) fn path(cluster: usize) -> String {
    format!("{}/{}", collection(&Set::Operator.namespace(cluster)), name(cluster))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_tells_whose_it_is() {
        assert_eq!(cluster_of(&format!("{}-redis-auth", name(42))), Some(42));
        assert_eq!(cluster_of(&name(9999)), Some(9999));
        assert_eq!(cluster_of("kube-root-ca.crt"), None);
        assert_eq!(cluster_of("captured"), None);
    }

    #[test]
    fn every_cluster_has_a_namespace() {
        let namespaces = Set::Operator.namespaces(51);

        assert_eq!(namespaces, ["bench-000", "bench-001", "bench-002"]);
        assert!((0..51).all(|cluster| namespaces.contains(&Set::Operator.namespace(cluster))));
        assert!(Set::Floor.has("floor-001") && !Set::Floor.has("bench-001"));
    }
}
