//! Connections for writes: they take not one more byte when the lease has ended. A request that waits somewhere on its way
//! (for a connection, for the task that serves the connection) while the process is stopped, stays there.

use std::future::Future;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use axum::http::{Method, Request, Response, Uri};
use hyper::rt::{Read, ReadBufCursor, Write};
use hyper_util::client::legacy;
use hyper_util::client::legacy::connect::{Connected, Connection, HttpConnector};
use hyper_util::rt::TokioExecutor;
use kube::client::{Body, ClientBuilder, ConfigExt};
use kube::{Client, Config};
use tokio::sync::Semaphore;
use tower::util::{MapErrLayer, option_layer};
use tower::{BoxError, Layer, Service};

use crate::lease::{Moment, NotLeading, Tenure};

/// The way to the API server: reads as [`ClientBuilder`] makes them by itself, and writes by connections that end with the
/// lease, if it takes one to write.
///
/// # Errors
/// If the configuration cannot be used.
pub fn way(config: &Config, tenure: Option<&Tenure>) -> Result<ClientBuilder<Way>, kube::Error> {
    let reads = Client::try_from(config.clone())?;
    let writes = match tenure {
        Some(tenure) => fenced(config, tenure.clone())?,
        None => reads.clone(),
    };
    let places = Arc::new(Semaphore::new(WRITES));
    Ok(ClientBuilder::new(Way { reads, writes, places }, config.default_namespace.clone()))
}

/// How many writes are under way at a time, each on a connection of its own. A cluster is made with ten at once; of hundreds the API
/// server would do no more in a second, and each connection takes tens of KiB, on both sides.
const WRITES: usize = 64;

/// A service that tells writes from reads.
#[derive(Clone)]
pub struct Way {
    reads: Client,
    writes: Client,
    places: Arc<Semaphore>,
}

impl Service<Request<Body>> for Way {
    type Response = Response<Body>;
    type Error = kube::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, kube::Error>> + Send>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), kube::Error>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if *request.method() == Method::GET {
            let client = self.reads.clone();
            return Box::pin(async move { client.send(request).await });
        }
        let (client, places) = (self.writes.clone(), self.places.clone());
        Box::pin(async move {
            // Nobody closes the semaphore.
            let _place = places.acquire_owned().await;
            client.send(request).await
        })
    }
}

/// A client whose connections end with the lease. Its layers are those of [`ClientBuilder`]'s own, in the same order.
fn fenced(config: &Config, tenure: Tenure) -> Result<Client, kube::Error> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(config.connect_timeout);
    let connector = config.rustls_https_connector_with_connector(Fenced { inner: tcp, tenure })?;
    let http = legacy::Client::builder(TokioExecutor::new()).build(connector);
    let http = MapErrLayer::new(BoxError::from).layer(http);
    let http = config.extra_headers_layer()?.layer(http);
    let http = option_layer(config.auth_layer()?).layer(http);
    let http = config.base_uri_layer().layer(http);
    Ok(ClientBuilder::new(http, config.default_namespace.clone()).build())
}

/// A connector, and each of its connections.
#[derive(Clone)]
struct Fenced<T> {
    inner: T,
    tenure: Tenure,
}

impl<C> Service<Uri> for Fenced<C>
where
    C: Service<Uri>,
    C::Future: Send + 'static,
{
    type Response = Fenced<C::Response>;
    type Error = C::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self::Response, C::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), C::Error>> {
        self.inner.poll_ready(context)
    }

    fn call(&mut self, uri: Uri) -> Self::Future {
        let (connecting, tenure) = (self.inner.call(uri), self.tenure.clone());
        Box::pin(async move { Ok(Fenced { inner: connecting.await?, tenure }) })
    }
}

impl<T> Fenced<T> {
    fn check(&self) -> io::Result<()> {
        if self.tenure.holds(Moment::now()) { Ok(()) } else { Err(io::Error::other(NotLeading)) }
    }
}

impl<S: Read + Unpin> Read for Fenced<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: ReadBufCursor<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_read(context, buffer)
    }
}

impl<S: Write + Unpin> Write for Fenced<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write(context, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.check()?;
        Pin::new(&mut self.inner).poll_write_vectored(context, bytes)
    }

    fn is_write_vectored(&self) -> bool {
        self.inner.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(context)
    }
}

impl<S: Connection> Connection for Fenced<S> {
    fn connected(&self) -> Connected {
        self.inner.connected()
    }
}

#[cfg(test)]
mod tests {
    use std::future::poll_fn;

    use hyper_util::rt::TokioIo;
    use tokio::io::AsyncReadExt as _;

    use super::*;

    #[tokio::test]
    async fn a_connection_takes_nothing_when_the_lease_has_ended() {
        let (near, mut far) = tokio::io::duplex(64);
        let tenure = Tenure::waiting();
        tenure.renew(Moment::now());
        let mut connection = Fenced { inner: TokioIo::new(near), tenure: tenure.clone() };
        let mut write =
            async |bytes: &[u8]| poll_fn(|cx| Pin::new(&mut connection).poll_write(cx, bytes)).await;

        assert_eq!(write(b"in time").await.unwrap(), 7);
        tenure.end();
        assert!(write(b"too late").await.unwrap_err().get_ref().unwrap().is::<NotLeading>());

        drop(connection);
        let mut arrived = String::new();
        far.read_to_string(&mut arrived).await.unwrap();
        assert_eq!(arrived, "in time");
    }
}
