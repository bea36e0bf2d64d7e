//! Accepts connections, and reads requests from them.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::sync::CancellationToken;
use tower_service::Service;

/// After an error that is not the client's, such as too many open files, the system gets a moment.
const PAUSE: Duration = Duration::from_millis(100);

/// The most bytes of a request's head. It is kept for each connection that has not sent all of it.
const MOST_HEAD: usize = 16 * 1024;

/// Accepts until told to stop. Who is told so may count on it that nobody gets in any more once this has returned; requests that are
/// under way go on.
pub async fn serve(listener: TcpListener, router: Router, head_timeout: Duration, stop: CancellationToken) {
    // Small messages must not wait for others to share a packet with them. What is accepted has this from its listener.
    let _ = rustix::net::sockopt::set_tcp_nodelay(&listener, true);
    loop {
        let (socket, address) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    if !is_of_one_connection(&error) {
                        tracing::warn!(%error, "cannot accept connections");
                        tokio::time::sleep(PAUSE).await;
                    }
                    continue;
                }
            },
        };
        tokio::spawn(converse(socket, address, router.clone(), head_timeout, stop.clone()));
    }
}

/// The client has gone before it was accepted.
fn is_of_one_connection(error: &io::Error) -> bool {
    use io::ErrorKind::{ConnectionAborted, ConnectionRefused, ConnectionReset};
    matches!(error.kind(), ConnectionAborted | ConnectionRefused | ConnectionReset)
}

/// Boxed by parts, so that what a request needs is not kept while a WebSocket made of it lives on in a task of its own.
async fn converse(
    socket: TcpStream,
    address: SocketAddr,
    router: Router,
    head_timeout: Duration,
    stop: CancellationToken,
) {
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(axum::body::Body::new);
        request.extensions_mut().insert(ConnectInfo(address));
        router.clone().call(request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(head_timeout)
        .max_buf_size(MOST_HEAD)
        .serve_connection(TokioIo::new(socket), service)
        .with_upgrades();
    tokio::pin!(connection);
    tokio::select! {
        // The client has gone, or does not speak HTTP.
        _ = &mut connection => {}
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            let _ = connection.await;
        }
    }
}
