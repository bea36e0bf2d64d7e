//! Names and paths of the bench's clusters.

/// The number of clusters in a namespace.
const IN_A_NAMESPACE: usize = 25;

/// The clusters of one system.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Set {
    /// Created for the operator
    Operator,
    /// Created by the floor
    Floor,
}

impl Set {
    fn prefix(self) -> &'static str {
        match self {
            Self::Operator => "bench-",
            Self::Floor => "floor-",
        }
    }

    /// The names of the namespaces that this many clusters need.
    pub(crate) fn namespaces(self, clusters: usize) -> Vec<String> {
        (0..clusters.div_ceil(IN_A_NAMESPACE)).map(|n| format!("{}{n:03}", self.prefix())).collect()
    }

    pub(crate) fn has(self, namespace: &str) -> bool {
        namespace.starts_with(self.prefix())
    }

    /// The namespace of a cluster.
    pub(crate) fn namespace(self, cluster: usize) -> String {
        format!("{}{:03}", self.prefix(), cluster / IN_A_NAMESPACE)
    }
}

/// The name of a cluster.
pub(crate) fn name(cluster: usize) -> String {
    format!("c{cluster:05}")
}

/// The cluster to which a child with this name belongs.
pub(crate) fn cluster_of(child: &str) -> Option<usize> {
    child.strip_prefix('c')?.get(..5)?.parse().ok()
}

/// The path of the collection of `ChatClusters` in a namespace.
pub(crate) fn collection(namespace: &str) -> String {
    format!("/apis/chatcluster.dev/v1alpha1/namespaces/{namespace}/chatclusters")
}

/// The path of one of the operator's clusters.
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
