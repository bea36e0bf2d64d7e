//! Passes a request on to the hub whose connection it is for, with whatever follows it.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use http::{HeaderName, HeaderValue, StatusCode};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use tokio::io::copy_bidirectional;
use tokio::net::TcpStream;

use super::refusals::refused;
use crate::metrics::{Metrics, RefusedRequest};
use crate::peers::Peers;
use crate::token::{Signer, Token};

/// Shows that another hub of this cluster passed the request on.
const PASSED: HeaderName = HeaderName::from_static("x-chatcluster-passed");

/// For the connection to the other hub: it is near, or gone.
const CONNECT: Duration = Duration::from_secs(3);

/// See the module.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub(super) signer: Arc<Signer>,
    pub(super) peers: Arc<Peers>,
    pub(super) metrics: Arc<Metrics>,
}

impl Forwarder {
    /// Whether the hub that has a token's connection can be reached. Nothing was heard of it yet if it or this one has just started, and
    /// what is fresh may be of such a hub; otherwise the dead are not waited for.
    pub(super) async fn is_there(&self, token: &Token, is_fresh: bool) -> bool {
        let is_known = self.peers.instances().contains(&format!("{:08x}", token.owner.instance));
        (is_known || is_fresh)
            && tokio::time::timeout(CONNECT, TcpStream::connect(token.owner.address))
                .await
                .is_ok_and(|connected| connected.is_ok())
    }

    /// What the other hub answers. A hub that is gone took its connections with it.
    pub(super) async fn forward(&self, text: &str, token: &Token, request: Request) -> Response {
        let pass = self.signer.pass(text);
        if request.headers().get(&PASSED).is_some_and(|value| value == pass.as_str()) {
            // It was for an earlier hub at our address.
            return gone();
        }
        self.metrics.requests_passed_on.inc();
        match exchange(token, &pass, request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(owner = %token.owner.address, %error, "cannot pass a request on");
                gone()
            }
        }
    }
}

fn gone() -> Response {
    let text = "the hub that had this connection is gone: negotiate anew\n";
    refused(RefusedRequest::HubGone, StatusCode::NOT_FOUND, text)
}

async fn exchange(
    token: &Token,
    pass: &str,
    mut request: Request,
) -> Result<Response, Box<dyn std::error::Error + Send + Sync>> {
    let socket = tokio::time::timeout(CONNECT, TcpStream::connect(token.owner.address)).await??;
    socket.set_nodelay(true)?;
    let (mut sender, connection) = http1::handshake(TokioIo::new(socket)).await?;
    tokio::spawn(connection.with_upgrades());
    let from_client = hyper::upgrade::on(&mut request);
    request.headers_mut().insert(PASSED, HeaderValue::from_str(pass)?);
    let mut response = sender.send_request(request).await?;
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        let from_hub = hyper::upgrade::on(&mut response);
        tokio::spawn(async move {
            let (Ok(client), Ok(hub)) = (from_client.await, from_hub.await) else { return };
            let _ = copy_bidirectional(&mut TokioIo::new(client), &mut TokioIo::new(hub)).await;
        });
    }
    Ok(response.map(Body::new))
}
