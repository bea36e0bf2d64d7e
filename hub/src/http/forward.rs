//! Forwards a request, and all data that follows it, to the hub that has its connection.

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

/// The header that proves that another hub of this cluster forwarded the request.
const PASSED: HeaderName = HeaderName::from_static("x-chatcluster-passed");

/// The time for connecting to the other hub, which is either near or gone.
const CONNECT: Duration = Duration::from_secs(3);

/// Forwards requests to the hubs that have their connections.
#[derive(Debug)]
pub(super) struct Forwarder {
    pub(super) signer: Arc<Signer>,
    pub(super) peers: Arc<Peers>,
    pub(super) metrics: Arc<Metrics>,
}

impl Forwarder {
    /// True if the hub that has a token's connection can be reached. If that hub or this one has just
    /// started, this one has not received a heartbeat of it yet, so the hub of a fresh token is tried in any
    /// case. Otherwise, no time is spent on hubs that are gone.
    pub(super) async fn is_reachable(&self, token: &Token, is_fresh: bool) -> bool {
        let is_known = self.peers.instances().contains(&format!("{:08x}", token.owner.instance));
        (is_known || is_fresh)
            && tokio::time::timeout(CONNECT, TcpStream::connect(token.owner.address))
                .await
                .is_ok_and(|connected| connected.is_ok())
    }

    /// The response of the other hub, or a refusal if it is gone, and its connections with it.
    pub(super) async fn forward(&self, text: &str, token: &Token, request: Request) -> Response {
        let pass = self.signer.pass(text);
        if request.headers().get(&PASSED).is_some_and(|value| value == pass.as_str()) {
            // The request was for an earlier hub at this hub's address.
            return hub_gone();
        }
        self.metrics.requests_passed_on.inc();
        match exchange(token, &pass, request).await {
            Ok(response) => response,
            Err(error) => {
                tracing::debug!(owner = %token.owner.address, %error, "cannot pass a request on");
                hub_gone()
            }
        }
    }
}

fn hub_gone() -> Response {
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
