//! A proxy between an operator and the API server: it shows the operator one namespace only, records every
//! request, and can refuse, withhold and delay requests.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::{Request, State};
use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use futures::StreamExt as _;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::watch;

use super::gate::{Gate, Way};
use crate::support::Namespace;

/// A proxy that ends when dropped.
pub(super) struct Proxy {
    gate: Gate,
    state: Arc<Shared>,
    kubeconfig: PathBuf,
    server: tokio::task::JoinHandle<()>,
}

struct Shared {
    upstream: kube::Client,
    namespace: String,
    /// A name added to the user agent, which tells the proxy's requests from others in the audit log.
    name: String,
    rules: Mutex<Rules>,
    /// Suffix of the paths whose watches are silent. `None`: no watch is silent.
    silent: watch::Sender<Option<&'static str>>,
    seen: watch::Sender<Seen>,
}

#[derive(Default)]
struct Rules {
    /// The answers to give, by the suffix of the request's path.
    answers: BTreeMap<&'static str, StatusCode>,
    /// The end of all writes.
    limit: Option<Limit>,
}

/// The number of writes after which every further write is withheld.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Limit {
    pub(super) writes: usize,
    /// True if the last of them is answered.
    pub(super) answered: bool,
}

/// The requests that have passed so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) requests: usize,
    /// Lists and other reads, as `path?query`, without watches.
    pub(super) reads: Vec<String>,
    /// Writes that the API server has answered, as `METHOD path`, without those of the leader election.
    pub(super) writes: Vec<String>,
    /// Writes that were received, answered or not.
    begun: usize,
    /// Writes beyond the limit, which were withheld.
    pub(super) withheld: usize,
}

impl Proxy {
    pub(super) async fn new(ns: &Namespace, name: &str) -> Self {
        let mut config = kube::Config::infer().await.expect("a kubeconfig");
        config.default_retry = false;
        let state = Arc::new(Shared {
            upstream: kube::Client::try_from(config).expect("a client"),
            namespace: ns.name.clone(),
            name: name.to_owned(),
            rules: Mutex::default(),
            silent: watch::Sender::default(),
            seen: watch::Sender::default(),
        });
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let gate = Gate::to(listener.local_addr().expect("its address")).await;
        let router = Router::new().fallback(pass).with_state(state.clone());
        let server = tokio::spawn(async move { axum::serve(listener, router).await.expect("a server") });
        let kubeconfig =
            PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{name}.kubeconfig", ns.name));
        let named = |what: &str, value| json!([{"name": "proxy", what: value}]);
        let config = json!({
            "apiVersion": "v1",
            "kind": "Config",
            "current-context": "proxy",
            "clusters": named("cluster", json!({"server": format!("http://127.0.0.1:{}", gate.port)})),
            "users": named("user", json!({})),
            "contexts": named("context", json!({"cluster": "proxy", "user": "proxy"})),
        });
        std::fs::write(&kubeconfig, config.to_string()).expect("writing a kubeconfig");
        Self { gate, state, kubeconfig, server }
    }

    /// The path of the kubeconfig with which an operator goes through this proxy.
    pub(super) fn kubeconfig(&self) -> &PathBuf {
        &self.kubeconfig
    }

    /// Sets the treatment of the connections from now on.
    pub(super) fn set(&self, way: Way) {
        self.gate.set(way);
    }

    /// From now on answers each request whose path ends with `path` with this status; with "" all requests.
    /// Running watches are closed, so that they have to start again and get this answer, too.
    pub(super) fn answer(&self, path: &'static str, status: StatusCode) {
        self.state.rules.lock().unwrap().answers.insert(path, status);
        self.gate.break_all();
    }

    /// From now on holds back the events of watches whose path ends with `path`. Their connections stay open,
    /// and the events arrive afterwards.
    pub(super) fn silence(&self, path: &'static str) {
        self.state.silent.send_replace(Some(path));
    }

    /// Lets the events of all watches pass again, those that were held back first.
    pub(super) fn silence_nothing(&self) {
        self.state.silent.send_replace(None);
    }

    /// The number of connections that were attempted.
    pub(super) fn attempts(&self) -> usize {
        self.gate.attempts()
    }

    /// From now on passes all requests to the API server again.
    pub(super) fn answer_nothing(&self) {
        self.state.rules.lock().unwrap().answers.clear();
    }

    /// Limits the writes. To be called before the operator starts.
    pub(super) fn limit(&self, limit: Limit) {
        self.state.rules.lock().unwrap().limit = Some(limit);
    }

    pub(super) fn seen(&self) -> watch::Receiver<Seen> {
        self.state.seen.subscribe()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.server.abort();
        let _ = std::fs::remove_file(&self.kubeconfig);
    }
}

async fn pass(State(state): State<Arc<Shared>>, request: Request) -> Response {
    let path = request.uri().path().to_owned();
    state.seen.send_modify(|seen| seen.requests += 1);
    let (answer, limit) = {
        let rules = state.rules.lock().unwrap();
        let answer = rules.answers.iter().find(|(end, _)| path.ends_with(**end)).map(|(_, answer)| *answer);
        (answer, rules.limit)
    };
    if let Some(status) = answer {
        let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": status.as_u16(),
            "message": "by the test's proxy", "reason": status.canonical_reason().unwrap_or_default()});
        return (status, [(header::CONTENT_TYPE, "application/json")], body.to_string()).into_response();
    }
    if request.uri().query().is_some_and(|query| query.contains("watch=true")) {
        return state.watch(path, request).await;
    }
    if request.method() == Method::GET {
        let read = request.uri().to_string();
        state.seen.send_modify(|seen| seen.reads.push(read));
        return state.forward(request).await;
    }
    if path.contains("/leases") {
        return state.forward(request).await;
    }
    let mut number = 0;
    state.seen.send_modify(|seen| {
        seen.begun += 1;
        number = seen.begun;
        seen.withheld += usize::from(limit.is_some_and(|limit| number > limit.writes));
    });
    if limit.is_some_and(|limit| number > limit.writes) {
        return std::future::pending().await;
    }
    let line = format!("{} {path}", request.method());
    let response = state.forward(request).await;
    state.seen.send_modify(|seen| seen.writes.push(line));
    if limit.is_some_and(|limit| number == limit.writes && !limit.answered) {
        return std::future::pending().await;
    }
    response
}

impl Shared {
    async fn forward(&self, request: Request) -> Response {
        let (mut parts, body) = request.into_parts();
        parts.uri = self.scoped(&parts.uri.to_string()).parse().expect("a URI");
        for name in [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION] {
            parts.headers.remove(name);
        }
        let agent = parts.headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok());
        let agent = format!("{} ({})", agent.unwrap_or_default(), self.name);
        parts.headers.insert(header::USER_AGENT, HeaderValue::from_str(&agent).expect("a header"));
        let body = to_bytes(body, usize::MAX).await.unwrap_or_default();
        let request = axum::http::Request::from_parts(parts, kube::client::Body::from(body));
        match self.upstream.send(request).await {
            Ok(response) => response.map(Body::new),
            Err(error) => (StatusCode::BAD_GATEWAY, error.to_string()).into_response(),
        }
    }

    async fn watch(&self, path: String, request: Request) -> Response {
        let silent = self.silent.subscribe();
        self.forward(request).await.map(|body| {
            Body::from_stream(body.into_data_stream().then(move |told| {
                let (mut silent, path) = (silent.clone(), path.clone());
                async move {
                    // The proxy lives as long as its responses do.
                    let _ = silent.wait_for(|silent| silent.is_none_or(|end| !path.ends_with(end))).await;
                    told
                }
            }))
        })
    }

    /// The URI of the same list or watch, narrowed to the test's namespace.
    fn scoped(&self, uri: &str) -> String {
        let (path, query) = uri.split_once('?').unwrap_or((uri, ""));
        let parts: Vec<&str> = path.split('/').skip(1).collect();
        let path = match parts.as_slice() {
            [.., "storageclasses"] => path.to_owned(),
            ["api", version, resource] => {
                format!("/api/{version}/namespaces/{}/{resource}", self.namespace)
            }
            ["apis", group, version, resource] => {
                format!("/apis/{group}/{version}/namespaces/{}/{resource}", self.namespace)
            }
            _ => path.to_owned(),
        };
        format!("{path}?{query}")
    }
}
