//! The parts of a request's path to the API server.

/// `/api/v1/…` or `/apis/GROUP/VERSION/…`, then `[namespaces/NAMESPACE/]RESOURCE[/NAME[/SUBRESOURCE]]`. See
/// <https://kubernetes.io/docs/reference/using-api/api-concepts/#resource-uris>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct RequestPath<'a> {
    pub(crate) namespace: Option<&'a str>,
    pub(crate) resource: &'a str,
    pub(crate) name: Option<&'a str>,
    pub(crate) subresource: Option<&'a str>,
}

impl<'a> RequestPath<'a> {
    /// Parses a path; `None` if it names no resource, as `/version` does.
    pub(crate) fn parse(path: &'a str) -> Option<Self> {
        let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
        let (["api", _, rest @ ..] | ["apis", _, _, rest @ ..]) = parts.as_slice() else { return None };
        let (namespace, resource, name, subresource) = match *rest {
            ["namespaces", namespace, resource, name, subresource] => {
                (Some(namespace), resource, Some(name), Some(subresource))
            }
            ["namespaces", namespace, resource, name] => (Some(namespace), resource, Some(name), None),
            ["namespaces", namespace, resource] => (Some(namespace), resource, None, None),
            [resource, name] => (None, resource, Some(name), None),
            [resource] => (None, resource, None, None),
            _ => return None,
        };
        Some(Self { namespace, resource, name, subresource })
    }
}
