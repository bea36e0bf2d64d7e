//! The exporter's HTTP client: plain HTTP/1.1 with the client library that kube uses, on the operator's own
//! threads.

use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_http::{HttpClient, HttpError, Request, Response};
use tokio::runtime::Handle;

/// The time limit for a receiver's answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// The most bytes of a receiver's answer.
const LONGEST_ANSWER: usize = 1 << 20;

#[derive(Debug)]
pub(super) struct Client {
    inner: legacy::Client<HttpConnector, Full<Bytes>>,
    /// The runtime that sends: the exporter's own thread has none.
    runtime: Handle,
}

impl Client {
    /// # Panics
    /// Outside of a Tokio runtime.
    pub(super) fn new() -> Self {
        let inner = legacy::Client::builder(TokioExecutor::new()).build_http();
        Self { inner, runtime: Handle::current() }
    }
}

#[async_trait]
impl HttpClient for Client {
    async fn send_bytes(&self, request: Request<Bytes>) -> Result<Response<Bytes>, HttpError> {
        let answer = self.inner.request(request.map(Full::new));
        let whole = async {
            let (head, body) = answer.await?.into_parts();
            let body = Limited::new(body, LONGEST_ANSWER).collect().await?;
            Ok(Response::from_parts(head, body.to_bytes()))
        };
        self.runtime.spawn(async { tokio::time::timeout(PATIENCE, whole).await }).await??
    }
}
