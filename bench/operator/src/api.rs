//! A minimal client of the API server: request bodies are sent as they are, and answers are parsed only on
//! demand.

use anyhow::{Context, Result, bail};
use bytes::Bytes;
use futures::{StreamExt, TryStreamExt, stream};
use http::{Method, Request, StatusCode};
use http_body_util::BodyExt;
use kube::client::Body;
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::{Client, Config};
use serde_json::Value;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The user agent by which the audit log tells our requests from others'.
pub(crate) const AGENT: &str = "chatcluster-bench";

/// The number of requests under way at a time. The API server queues, and soon refuses, more from one client
/// (<https://kubernetes.io/docs/concepts/cluster-administration/flow-control/>).
pub(crate) const CONCURRENCY: usize = 64;
/// The pause after a request that was refused for that reason, as the API server's Retry-After says.
const RETRY: Duration = Duration::from_secs(1);

#[derive(Clone)]
pub(crate) struct Api {
    client: Client,
    under_way: Arc<Semaphore>,
}

impl Api {
    /// Connects as the kubeconfig says.
    pub(crate) async fn connect(kubeconfig: &Path) -> Result<Self> {
        let file = Kubeconfig::read_from(kubeconfig)?;
        let mut config = Config::from_custom_kubeconfig(file, &KubeConfigOptions::default()).await?;
        config.headers.push(("user-agent".parse()?, AGENT.parse()?));
        config.default_retry = false;
        Ok(Self { client: Client::try_from(config)?, under_way: Arc::new(Semaphore::new(CONCURRENCY)) })
    }

    /// The client itself, for requests whose answer is a stream.
    pub(crate) fn client(&self) -> Client {
        self.client.clone()
    }

    pub(crate) async fn create(&self, collection: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        self.send(Method::POST, collection, "application/json", body).await
    }

    /// Sends a JSON merge patch (RFC 7386).
    pub(crate) async fn merge(&self, path: &str, change: &Value) -> Result<()> {
        let body = change.to_string().into_bytes();
        self.send(Method::PATCH, path, "application/merge-patch+json", body).await.map(drop)
    }

    /// Applies an object server-side, as the operator does.
    pub(crate) async fn apply(&self, path: &str, object: &Value) -> Result<()> {
        let path = format!("{path}?fieldManager={AGENT}&force=true&fieldValidation=Ignore");
        let body = object.to_string().into_bytes();
        self.send(Method::PATCH, &path, "application/apply-patch+yaml", body).await.map(drop)
    }

    pub(crate) async fn delete(&self, path: &str) -> Result<()> {
        self.send(Method::DELETE, path, "application/json", Vec::new()).await.map(drop)
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Value> {
        let body = self.send(Method::GET, path, "application/json", Vec::new()).await?;
        Ok(serde_json::from_slice(&body)?)
    }

    /// Asks for an object that does not exist, which leaves a mark in the audit log.
    pub(crate) async fn ask_for_nothing(&self, path: &str) -> Result<()> {
        let (status, body) = self.answer(Method::GET, path, "application/json", Vec::new()).await?;
        if status != StatusCode::NOT_FOUND {
            bail!("GET {path}: {status} {}", String::from_utf8_lossy(&body));
        }
        Ok(())
    }

    async fn send(&self, method: Method, path: &str, media: &str, body: Vec<u8>) -> Result<Vec<u8>> {
        let what = format!("{method} {path}");
        let (status, answer) = self.answer(method, path, media, body).await.with_context(|| what.clone())?;
        if !status.is_success() {
            bail!("{what}: {status} {}", String::from_utf8_lossy(&answer));
        }
        Ok(answer)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        media: &str,
        body: Vec<u8>,
    ) -> Result<(StatusCode, Vec<u8>)> {
        let _under_way = self.under_way.acquire().await?;
        let body = Bytes::from(body);
        loop {
            let request =
                Request::builder().method(&method).uri(path).header(http::header::CONTENT_TYPE, media);
            let response = self.client.send(request.body(Body::from(body.clone()))?).await?;
            let status = response.status();
            let answer = response.into_body().collect().await?.to_bytes().to_vec();
            if status != StatusCode::TOO_MANY_REQUESTS {
                return Ok((status, answer));
            }
            tokio::time::sleep(RETRY).await;
        }
    }
}

/// Acts on each item, on [`CONCURRENCY`] of them at a time. The first failure ends it.
pub(crate) async fn for_each<T, F>(items: impl IntoIterator<Item = T>, act: impl FnMut(T) -> F) -> Result<()>
where
    F: Future<Output = Result<()>>,
{
    stream::iter(items).map(act).buffer_unordered(CONCURRENCY).try_collect().await
}
