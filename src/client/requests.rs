//! A layer of the client that counts requests by verb and resource, as a role names them, and by the code of
//! the answer. A request that the client repeats by itself counts once.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Method, Request, Response};
use tower::{Layer, Service};

use crate::client::request_path::RequestPath;
use crate::metrics::Metrics;

/// Counts the requests of the service that it is laid around.
#[derive(Clone, Debug)]
pub struct Counting(pub Arc<Metrics>);

/// A service whose requests are counted.
#[derive(Clone, Debug)]
pub struct Counted<S> {
    inner: S,
    metrics: Arc<Metrics>,
}

impl<S> Layer<S> for Counting {
    type Service = Counted<S>;

    fn layer(&self, inner: S) -> Counted<S> {
        Counted { inner, metrics: self.0.clone() }
    }
}

impl<S, B, A> Service<Request<B>> for Counted<S>
where
    S: Service<Request<B>, Response = Response<A>>,
    S::Future: Send + 'static,
{
    type Response = S::Response;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<S::Response, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, request: Request<B>) -> Self::Future {
        let asked =
            Asked::of(request.method(), request.uri().path(), request.uri().query().unwrap_or_default());
        let metrics = self.metrics.clone();
        let answer = self.inner.call(request);
        Box::pin(async move {
            let answer = answer.await;
            let code = answer.as_ref().ok().map(|answer| answer.status().as_u16());
            metrics.requested(asked.verb, asked.resource, code);
            answer
        })
    }
}

/// A request in the words of a role.
#[derive(Debug, PartialEq, Eq)]
struct Asked {
    verb: &'static str,
    resource: String,
}

impl Asked {
    fn of(method: &Method, path: &str, query: &str) -> Self {
        let (resource, named) = match RequestPath::parse(path) {
            Some(RequestPath { resource, name, subresource: None, .. }) => {
                (resource.to_owned(), name.is_some())
            }
            Some(RequestPath { resource, subresource: Some(part), .. }) => {
                (format!("{resource}/{part}"), true)
            }
            // A path such as /version, which names no resource.
            None => (String::new(), true),
        };
        let watches = query.split('&').any(|part| matches!(part, "watch=true" | "watch=1"));
        let verb = match *method {
            Method::GET if watches => "watch",
            Method::GET if named => "get",
            Method::GET => "list",
            Method::POST => "create",
            Method::PUT => "update",
            Method::PATCH => "patch",
            Method::DELETE if named => "delete",
            Method::DELETE => "deletecollection",
            _ => "other",
        };
        Self { verb, resource }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_is_counted_by_the_words_of_a_role() {
        let cases = [
            (Method::GET, "/api/v1/secrets", "labelSelector=a%3Db", ("list", "secrets")),
            (Method::GET, "/api/v1/secrets", "watch=true&resourceVersion=7", ("watch", "secrets")),
            (Method::GET, "/api/v1/namespaces/team/secrets", "", ("list", "secrets")),
            (Method::GET, "/api/v1/namespaces/team/secrets/mine", "", ("get", "secrets")),
            (
                Method::PATCH,
                "/apis/apps/v1/namespaces/team/deployments/lobby-hub",
                "",
                ("patch", "deployments"),
            ),
            (
                Method::PATCH,
                "/apis/chatcluster.dev/v1alpha1/namespaces/team/chatclusters/lobby/status",
                "",
                ("patch", "chatclusters/status"),
            ),
            (Method::POST, "/apis/events.k8s.io/v1/namespaces/team/events", "", ("create", "events")),
            (
                Method::DELETE,
                "/apis/networking.k8s.io/v1/namespaces/team/networkpolicies/lobby-hub",
                "",
                ("delete", "networkpolicies"),
            ),
            (Method::GET, "/apis/storage.k8s.io/v1/storageclasses/fast", "", ("get", "storageclasses")),
            (Method::GET, "/version", "", ("get", "")),
        ];

        for (method, path, query, (verb, resource)) in cases {
            let asked = Asked::of(&method, path, query);

            assert_eq!((asked.verb, asked.resource.as_str()), (verb, resource), "{method} {path}");
        }
    }
}
