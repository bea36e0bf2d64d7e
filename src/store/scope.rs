//! The namespaces that the operator serves: all of them, or some. Each of some namespaces has watches of its
//! own, because Roles permit no others.

use std::collections::BTreeSet;

use k8s_openapi::NamespaceResourceScope;
use kube::{Api, Client, Resource};

/// The namespaces that the operator serves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// All namespaces.
    Cluster,
    /// These namespaces, and no cluster-scoped objects.
    Namespaces(BTreeSet<String>),
}

/// The part of the scope that one watch covers.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Part {
    /// All namespaces.
    Cluster,
    /// The namespace of that name.
    Namespace(String),
}

impl Scope {
    /// Returns the scope of these namespaces, or the whole cluster if none is named.
    pub fn of(namespaces: impl IntoIterator<Item = String>) -> Self {
        let named: BTreeSet<String> = namespaces
            .into_iter()
            .map(|name| name.trim().to_owned())
            .filter(|name| !name.is_empty())
            .collect();
        if named.is_empty() { Self::Cluster } else { Self::Namespaces(named) }
    }

    /// Returns the parts that have to be watched to see every object of a kind.
    pub fn parts(&self) -> BTreeSet<Part> {
        match self {
            Self::Cluster => BTreeSet::from([Part::Cluster]),
            Self::Namespaces(names) => names.iter().cloned().map(Part::Namespace).collect(),
        }
    }
}

impl Part {
    /// Returns the API of a kind's objects in this part.
    pub fn api<K>(&self, client: &Client) -> Api<K>
    where
        K: Resource<DynamicType = (), Scope = NamespaceResourceScope>,
    {
        match self {
            Self::Cluster => Api::all(client.clone()),
            Self::Namespace(name) => Api::namespaced(client.clone(), name),
        }
    }

    /// True if objects of that namespace belong to this part.
    pub fn covers(&self, namespace: &str) -> bool {
        match self {
            Self::Cluster => true,
            Self::Namespace(name) => name == namespace,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_namespace_named_is_all_of_them() {
        assert_eq!(Scope::of([]), Scope::Cluster);
        assert_eq!(Scope::of([String::new()]), Scope::Cluster);
        let some = BTreeSet::from(["a".to_owned(), "b".to_owned()]);
        assert_eq!(Scope::of(["b".to_owned(), " a ".to_owned(), "b".to_owned()]), Scope::Namespaces(some));
    }
}
